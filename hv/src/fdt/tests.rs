//! Device trees good, cut short and hostile.
