//! Time for which this thread has had a processor.
//!
//! Never the clock on the wall, which also counts what else the machine does.

use std::time::Duration;

use crate::failure::Failure;

/// Where Linux counts it: "sched-stats", /proc/<pid>/schedstat, nanoseconds on a processor.
const COUNT: &str = "/proc/thread-self/schedstat";

/// As of now, since the thread began.
///
/// # Errors
/// On a kernel that does not count it.
pub fn now() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string(COUNT).map_err(|error| Failure::Environment(format!("{COUNT}: {error}")))?;
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    let nanoseconds = nanoseconds.ok_or_else(|| Failure::Environment(format!("{COUNT} holds no number")))?;
    Ok(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::now;

    #[test]
    fn work_counts_and_sleep_does_not() {
        let began = now().expect("Linux counts it");
        std::thread::sleep(std::time::Duration::from_millis(20));
        let slept = now().expect("as above");
        // Enough work for a count that a tick updates.
        let text: Vec<String> = (0..300_000).map(|number| std::hint::black_box(number).to_string()).collect();
        let worked = now().expect("as above");
        assert!(text.len() == 300_000 && worked - slept > slept - began, "{began:?} {slept:?} {worked:?}");
    }
}
