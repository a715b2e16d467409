//! Tokens of numbers, addresses and origins; from tokens to a formatted file.
//!
//! The only place where a number becomes Rust text.

use paging::{Frame, Ipa, PhysAddr, VirtAddr};
use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use super::{GeneratedFile, RenderError, header};
use crate::diagnostic::Radix;
use crate::model::Origin;
use crate::plan::Plan;

/// Parses and formats a file.
pub(super) fn file(name: &'static str, plan: &Plan, tokens: TokenStream) -> Result<GeneratedFile, RenderError> {
    let parsed = syn::parse2(tokens).map_err(|error| RenderError::Rust { file: name, error })?;
    Ok(GeneratedFile { name: name.into(), text: format!("// {}\n{}", header(plan), prettyplease::unparse(&parsed)) })
}

/// A number in hexadecimal, in groups of four.
pub(super) fn hex(value: u64) -> TokenStream {
    let text = Radix::Hex.show(value.into());
    syn::LitInt::new(&text, Span::call_site()).into_token_stream()
}

/// An address as the maps print it.
fn address(text: &str) -> TokenStream {
    syn::LitInt::new(text, Span::call_site()).into_token_stream()
}

/// A number in decimal, without a suffix.
pub(super) fn count(value: impl TryInto<u64>) -> TokenStream {
    let value = value.try_into().unwrap_or(u64::MAX);
    Literal::u64_unsuffixed(value).into_token_stream()
}

/// `paging::PhysAddr::new(…)`.
pub(super) fn physical(at: PhysAddr) -> TokenStream {
    let at = address(&at.to_string());
    quote!(paging::PhysAddr::new(#at))
}

/// `paging::VirtAddr::new(…)`.
pub(super) fn virtual_address(at: VirtAddr) -> TokenStream {
    let at = address(&at.to_string());
    quote!(paging::VirtAddr::new(#at))
}

/// `paging::Ipa::new(…)`.
pub(super) fn guest_physical(at: Ipa) -> TokenStream {
    let at = address(&at.to_string());
    quote!(paging::Ipa::new(#at))
}

/// `paging::Frame::new(…)`.
pub(super) fn frame(frame: Frame) -> TokenStream {
    let number = hex(frame.number());
    quote!(paging::Frame::new(#number))
}

/// `types::Origin::Line(…)`.
pub(super) fn origin(from: Origin) -> TokenStream {
    match from {
        Origin::Line(line) => {
            let line = count(line);
            quote!(types::Origin::Line(#line))
        }
        Origin::BaseLine(line) => {
            let line = count(line);
            quote!(types::Origin::BaseLine(#line))
        }
        Origin::Default => quote!(types::Origin::Default),
    }
}

/// `const _: () = assert!(belief, "file:line: key");`
pub(super) fn belief(plan: &Plan, condition: TokenStream, from: Origin, key: &str) -> TokenStream {
    let message = format!("{}: {key}", place(plan, from));
    quote!(
        const _: () = assert!(#condition, #message);
    )
}

/// An origin as editors open it.
pub(super) fn place(plan: &Plan, from: Origin) -> String {
    let board = &plan.board;
    match from {
        Origin::Line(line) => format!("{}:{line}", board.file),
        Origin::BaseLine(line) => {
            let file = board.base_file.as_deref().unwrap_or(&board.file);
            format!("{file}:{line}")
        }
        Origin::Default => format!("{}, by default", board.file),
    }
}
