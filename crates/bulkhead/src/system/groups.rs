//! The control groups that bound this process.

use super::files;

/// Reads a file whole; nothing when it is not there.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

const V2: &str = "/sys/fs/cgroup";

/// Where the memory of a group and its limit stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    limit: String,
    usage: String,
    statistics: String,
    /// The field of what can be dropped at any time.
    droppable: &'static str,
}

/// Where the time of a group and its quota stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Processors {
    V2 { quota: String, usage: String },
    V1 { quota: String, period: String, usage: String },
}

impl Memory {
    /// The nearest group with a limit.
    pub(super) fn find(read: Read) -> Option<Self> {
        let groups = read("/proc/self/cgroup")?;
        let second = upwards(files::path(&groups, "")).map(|path| Self {
            limit: format!("{V2}{path}/memory.max"),
            usage: format!("{V2}{path}/memory.current"),
            statistics: format!("{V2}{path}/memory.stat"),
            droppable: "inactive_file",
        });
        let first = upwards(files::path(&groups, "memory")).map(|path| Self {
            limit: format!("{V2}/memory{path}/memory.limit_in_bytes"),
            usage: format!("{V2}/memory{path}/memory.usage_in_bytes"),
            statistics: format!("{V2}/memory{path}/memory.stat"),
            droppable: "total_inactive_file",
        });
        second.chain(first).find(|memory| memory.share(read).is_some())
    }

    /// How much of the limit is in use.
    pub(super) fn share(&self, read: Read) -> Option<f64> {
        let limit = files::limit(&read(&self.limit)?)?;
        let usage = files::number(&read(&self.usage)?)?;
        let statistics = read(&self.statistics);
        let droppable = statistics.and_then(|text| files::field(&text, self.droppable));
        Some(share(usage.saturating_sub(droppable.unwrap_or(0)), limit))
    }
}

impl Processors {
    /// The nearest group with a quota.
    pub(super) fn find(read: Read) -> Option<Self> {
        let groups = read("/proc/self/cgroup")?;
        let second = upwards(files::path(&groups, "")).map(|path| Self::V2 {
            quota: format!("{V2}{path}/cpu.max"),
            usage: format!("{V2}{path}/cpu.stat"),
        });
        let used = files::path(&groups, "cpuacct").unwrap_or_default();
        let first = upwards(files::path(&groups, "cpu")).map(|path| Self::V1 {
            quota: format!("{V2}/cpu{path}/cpu.cfs_quota_us"),
            period: format!("{V2}/cpu{path}/cpu.cfs_period_us"),
            // Of the same group if both controllers know it, as they do nearly everywhere.
            usage: format!("{V2}/cpuacct{}/cpuacct.usage", if path.is_empty() { "" } else { used }),
        });
        second.chain(first).find(|group| group.used(read).is_some())
    }

    /// How many processors it may use, and for how many nanoseconds it has used one.
    pub(super) fn used(&self, read: Read) -> Option<(f64, u64)> {
        match self {
            Self::V2 { quota, usage } => {
                let quota = files::cpu_max(&read(quota)?)?;
                let micros = files::field(&read(usage)?, "usage_usec")?;
                Some((quota, micros.saturating_mul(1000)))
            }
            Self::V1 { quota, period, usage } => {
                let quota = files::quota(&read(quota)?, &read(period)?)?;
                Some((quota, files::number(&read(usage)?)?))
            }
        }
    }
}

/// A part of a whole as a number from 0 to 1.
#[allow(clippy::cast_precision_loss, reason = "a load needs no seventeen digits")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).min(1.0) }
}

/// A path, and each one above it up to none at all. In a container the own path is often not to be
/// seen, and its group stands at the top.
fn upwards(path: Option<&str>) -> impl Iterator<Item = &str> {
    std::iter::successors(path, |path| path.rsplit_once('/').map(|(above, _)| above))
}
