//! An image that its loader put elsewhere: it moves, in either direction and over itself, or says why not.

use super::variants::Variant;
use super::{Bench, LIMIT, boots, variants};
use crate::build::{Built, names};
use crate::cli::Profile;
use crate::emulator::{self, DOMAINS_OFF, Show};
use crate::failure::Failure;

/// `text_offset` of the arm64 Image header: how far behind the start of RAM the loader puts it.
const TEXT_OFFSET: std::ops::Range<usize> = 8..16;

pub(super) fn run(bench: &mut Bench<'_>) {
    let result = moved(bench, 0x40_0000);
    bench.job("loaded 2 MiB above its place", result);
    let result = moved(bench, 0x21_0000);
    bench.job("loaded 64 KiB above its place, over itself", result);
    let variant = Variant::new("moves-up", "loaded below its place", "[boot]\nload = 0x4600_0000\n");
    let result =
        variant.write(bench.builder.project).and_then(|board| boots::boot(bench, &board, Profile::Release, &[]));
    bench.job("loaded far below its place", result.map(drop));
    let result = refused(bench);
    bench.job("its place is not RAM: stops, naming boot.load", result);
}

/// Boots qemu-arm64 with its image loaded `offset` bytes behind the start of RAM.
fn moved(bench: &Bench<'_>, offset: u64) -> Result<(), Failure> {
    let board = variants::with_payload(bench.builder.project, "qemu-arm64")?;
    let mut built = bench.builder.build(&board, Profile::Release)?;
    patch(&mut built, offset)?;
    let mut command = emulator::command(bench.builder.host, &built, &[])?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    let judged = outcome.verdict().and_then(|()| boots::in_order(&outcome.lines, &[DOMAINS_OFF.to_owned()]));
    judged.map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))
}

/// A copy of the image with another `text_offset`, which the emulator honours.
fn patch(built: &mut Built, offset: u64) -> Result<(), Failure> {
    let file = built.folder.join(names::FLAT);
    let mut image = std::fs::read(&file).map_err(|error| Failure::file("read", &file, &error))?;
    image[TEXT_OFFSET].copy_from_slice(&offset.to_le_bytes());
    built.manifest.image.file = format!("moved-{offset:x}.bin");
    let moved = built.image();
    std::fs::write(&moved, image).map_err(|error| Failure::file("write", &moved, &error))
}

/// More RAM in the file than in the machine, and the image planned in the part that is not there.
fn refused(bench: &Bench<'_>) -> Result<(), Failure> {
    let text = "[boot]\nload = 0x7000_0000\n";
    let board = Variant::new("moves-nowhere", "planned beyond the machine's RAM", text).write(bench.builder.project)?;
    let built = bench.builder.build(&board, Profile::Release)?;
    let arguments = ["-m", "512M"].map(str::to_owned);
    let mut command = emulator::command(bench.builder.host, &built, &arguments)?;
    let says = |line: &str| line.starts_with("tabula: ") && line.contains("boot.load");
    let outcome = emulator::run_until(&mut command, LIMIT, says)?;
    match outcome.lines.iter().any(|line| says(line)) {
        true => Ok(()),
        false => Err(Failure::Run(format!("no line names boot.load\n{}", outcome.lines.join("\n")))),
    }
}
