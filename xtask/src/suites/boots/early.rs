//! How often boot maps a page by PMAP: the same in the image that ships and in the one with checks.
//!
//! Counts by what the boot log says; knows nothing of the plan.

/// PMAP's maps for each page of an extent that the image does not fill: it is unmapped at boot.
const MAPS_PER_SLACK_PAGE: i64 = 2;
/// KiB of a page.
const PAGE_KIB: i64 = (paging::PAGE_BYTES >> 10) as i64;

/// PMAP's maps without those for the image's slack, give or take what is the same in every build of a board.
fn maps(log: &[String]) -> Option<i64> {
    let number = |line: &str, before: &str, behind: &str| -> Option<i64> {
        let rest = log.iter().find_map(|found| found.strip_prefix(line))?;
        rest.split_once(before)?.1.split_once(behind)?.0.parse().ok()
    };
    let all = number("tabula: pmap retired: ", "at once, ", " maps")?;
    let extents_kib = number("tabula: image at ", ", ", " KiB")?;
    let image_kib = number("tabula: mapped on each CPU: ", "image ", ",")?;
    Some(all - (extents_kib - image_kib) / PAGE_KIB * MAPS_PER_SLACK_PAGE)
}

/// Whether both logs are of boots that map as often.
pub(super) fn same_maps(log: &[String], checked: &[String]) -> Result<(), String> {
    match (maps(log), maps(checked)) {
        (Some(one), Some(other)) if one == other => Ok(()),
        (Some(one), Some(other)) => Err(format!("PMAP maps {} times more with checks, slack apart", other - one)),
        (None, _) | (_, None) => Err("a boot log does not say how often PMAP maps".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::same_maps;

    fn log(extents_kib: u64, maps: u64, image_kib: u64) -> Vec<String> {
        vec![
            format!("tabula: image at 0x4020_0000, {extents_kib} KiB with tables and stacks"),
            format!("tabula: pmap retired: 1 of 8 slots at once, {maps} maps, all empty"),
            format!("tabula: mapped on each CPU: 672 KiB: image {image_kib}, tables 52, private area 32"),
        ]
    }

    #[test]
    fn slack_is_all_that_may_differ() {
        let release = log(424, 119, 188);
        assert_eq!(same_maps(&release, &log(1432, 439, 556)), Ok(()));
        assert!(same_maps(&release, &log(1432, 440, 556)).is_err(), "one map more");
        assert!(same_maps(&release, &log(1432, 439, 560)).is_err(), "a page of slack less");
        assert!(same_maps(&release, &log(1432, 439, 556)[..2]).is_err(), "a line is missing");
    }
}
