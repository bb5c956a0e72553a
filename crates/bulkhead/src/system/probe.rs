//! The brain: from what the files say to one number.

use std::time::Duration;

use tower_ballast_core::{Ratio, clock::Nanos};

use super::{
    files,
    groups::{Memory, Processors, Read, share},
    processor::Processor,
};

/// What was last read of a machine. What it does not tell is nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Readings {
    /// The share of the processors that was busy.
    pub processors: Ratio,
    /// The share of the memory in use.
    pub memory: Ratio,
    /// The share of the last ten seconds in which some task stood still for want of a processor, of
    /// memory or of the disk: the highest of the three.
    pub stalls: Ratio,
    /// How late the runtime is.
    pub lag: Duration,
}

impl Default for Readings {
    fn default() -> Self {
        let none = Ratio::ZERO;
        Self { processors: none, memory: none, stalls: none, lag: Duration::ZERO }
    }
}

/// As how much each reading counts as full load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Full {
    pub(super) processors: Ratio,
    pub(super) memory: Ratio,
    pub(super) stalls: Ratio,
    pub(super) lag: Duration,
}

impl Default for Full {
    fn default() -> Self {
        let all = Ratio::ONE;
        Self { processors: all, memory: all, stalls: all, lag: Duration::from_millis(100) }
    }
}

impl Full {
    /// The load that readings come to: the highest share of what is full.
    pub(super) fn load(&self, readings: &Readings) -> Ratio {
        let shares = [
            (readings.processors.get(), self.processors.get()),
            (readings.memory.get(), self.memory.get()),
            (readings.stalls.get(), self.stalls.get()),
            (readings.lag.as_secs_f64(), self.lag.as_secs_f64()),
        ];
        let share = |(reading, full)| if full > 0.0 { reading / full } else { 0.0 };
        ratio(shares.into_iter().map(share).fold(0.0, f64::max))
    }
}

/// Reads what it found when it was made.
#[derive(Debug)]
pub(super) struct Probe {
    memory: Option<Memory>,
    processors: Option<Processors>,
    processor: Processor,
}

impl Probe {
    /// Nothing where the files of the kernel are not to be read.
    pub(super) fn find(read: Read) -> Option<Self> {
        files::ticks(&read("/proc/stat")?)?;
        files::field(&read("/proc/meminfo")?, "MemTotal")?;
        Some(Self {
            memory: Memory::find(read),
            processors: Processors::find(read),
            processor: Processor::default(),
        })
    }

    pub(super) fn read(&mut self, now: Nanos, lag: Duration, read: Read) -> Readings {
        let group = self.memory.as_ref().and_then(|memory| memory.share(read)).unwrap_or(0.0);
        let stalls = ["cpu", "memory", "io"].map(|of| stalled(of, read));
        let processors = self.processor.share(now, self.processors.as_ref(), read);
        Readings {
            processors: ratio(processors.unwrap_or(0.0)),
            memory: ratio(memory_of_the_machine(read).unwrap_or(0.0).max(group)),
            stalls: ratio(stalls.into_iter().fold(0.0, f64::max)),
            lag,
        }
    }
}

fn memory_of_the_machine(read: Read) -> Option<f64> {
    let text = read("/proc/meminfo")?;
    let total = files::field(&text, "MemTotal")?;
    let available = files::field(&text, "MemAvailable")?;
    Some(share(total.saturating_sub(available), total))
}

fn stalled(of: &str, read: Read) -> f64 {
    let text = read(&format!("/proc/pressure/{of}"));
    text.and_then(|text| files::stalled(&text)).unwrap_or(0.0)
}

fn ratio(share: f64) -> Ratio {
    Ratio::try_new("load", share.clamp(0.0, 1.0)).unwrap_or(Ratio::ZERO)
}
