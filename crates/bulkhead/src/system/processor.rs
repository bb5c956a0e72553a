//! How busy the processors are, from counters that only grow.

use tower_ballast_core::clock::Nanos;

use super::{
    files,
    groups::{Processors, Read, share},
};

/// What was read before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Processor {
    ticks: Option<(u64, u64)>,
    used: Option<(Nanos, u64)>,
}

impl Processor {
    /// The share of the time since it was last asked in which the processors were busy, those that
    /// the group may use or those of the machine, whichever were busier. Nothing at first.
    pub(super) fn share(
        &mut self,
        now: Nanos,
        group: Option<&Processors>,
        read: Read,
    ) -> Option<f64> {
        let machine = self.of_the_machine(read);
        let group = group.and_then(|group| self.of_the_group(now, group, read));
        match (machine, group) {
            (Some(machine), Some(group)) => Some(machine.max(group)),
            (machine, group) => machine.or(group),
        }
    }

    fn of_the_machine(&mut self, read: Read) -> Option<f64> {
        let (busy, total) = files::ticks(&read("/proc/stat")?)?;
        let (busy_before, total_before) = self.ticks.replace((busy, total))?;
        // Counters of a machine that was moved, or whose clock was set, may go back.
        let (busy, total) = (busy.saturating_sub(busy_before), total.checked_sub(total_before)?);
        (total > 0).then(|| share(busy, total))
    }

    fn of_the_group(&mut self, now: Nanos, group: &Processors, read: Read) -> Option<f64> {
        let (quota, used) = group.used(read)?;
        let (before, used_before) = self.used.replace((now, used))?;
        let (passed, used) = (now.since(before), used.checked_sub(used_before)?);
        let allowed = quota * passed.as_secs_f64() * 1e9;
        #[allow(clippy::cast_precision_loss, reason = "a load needs no seventeen digits")]
        (allowed > 0.0).then(|| (used as f64 / allowed).min(1.0))
    }
}
