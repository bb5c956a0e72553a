//! What the kernel's files say, as pure functions of their text.

/// A single number, or nothing where there is none, as in `max`.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A limit of bytes. Version 1 writes no limit as a number next to 2^63.
pub(super) fn limit(text: &str) -> Option<u64> {
    number(text).filter(|limit| (1..1 << 60).contains(limit))
}

/// The number behind a name at the beginning of a line.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let of = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let value = rest.strip_prefix(':').or_else(|| rest.strip_prefix(' '))?;
        value.split_ascii_whitespace().next()?.parse().ok()
    };
    text.lines().find_map(of)
}

/// `cpu.max`: how many processors a group may use, `max` for all of them.
pub(super) fn cpu_max(text: &str) -> Option<f64> {
    let mut words = text.split_ascii_whitespace();
    quota(words.next()?, words.next()?)
}

/// How many processors a quota of microseconds in each period comes to; -1 is none.
pub(super) fn quota(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (u32, u32) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0 && period > 0).then(|| f64::from(quota) / f64::from(period))
}

/// `/proc/stat`: for how many ticks all processors together were busy, and how many there were.
pub(super) fn ticks(text: &str) -> Option<(u64, u64)> {
    let mut words = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    // user, nice, system, idle, iowait, irq, softirq, steal; the guests' are within the first two.
    let mut ticks = [0_u64; 8];
    for (number, ticks) in ticks.iter_mut().enumerate() {
        match words.next() {
            Some(word) => *ticks = word.parse().ok()?,
            None if number < 4 => return None,
            None => break,
        }
    }
    let total = ticks.iter().try_fold(0_u64, |sum, ticks| sum.checked_add(*ticks))?;
    Some((total - ticks[3] - ticks[4], total))
}

/// `/proc/pressure/*`: the share of the last ten seconds in which some task stood still.
pub(super) fn stalled(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let average = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
    let percent: f64 = average.parse().ok()?;
    percent.is_finite().then(|| (percent / 100.0).clamp(0.0, 1.0))
}

/// `/proc/self/cgroup`: the path of a controller of version 1, or with no name that of version 2.
pub(super) fn path<'a>(text: &'a str, controller: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_it = controllers.split(',').any(|name| name == controller);
        (is_it && path.starts_with('/') && !path.split('/').any(|part| part == ".."))
            .then(|| path.trim_end_matches('/'))
    })
}
