//! What the suites share: where fixtures lie and how expected text is compared or rewritten.
//!
//! Never looks inside a crate: suites use public items only.
