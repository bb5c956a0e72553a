//! Services, and what befalls them.

use std::collections::VecDeque;

use super::Duration;

/// Which share of the calls fails.
#[derive(Debug, Clone, Copy)]
pub(super) enum World {
    /// Always the same.
    Healthy(f64),
    /// Another one for two minutes.
    Incident { before: f64, share: f64 },
    /// From nothing to three in ten within half an hour, and all of that is normal.
    Drift,
    /// One in a hundred, and all of them for a second out of twenty.
    Bursts,
    /// Too many once it is overloaded, which it stays until it has had less than a fifth of its
    /// calls for two seconds.
    Overload { before: f64, share: f64 },
}

impl World {
    /// When the incident begins. Until then a policy may learn what is normal.
    pub(super) const fn begins(self) -> Duration {
        match self {
            Self::Drift => Duration::ZERO,
            _ => Duration::from_secs(180),
        }
    }

    pub(super) const fn ends(self) -> Duration {
        match self {
            Self::Drift => Duration::from_secs(1800),
            _ => Duration::from_secs(300),
        }
    }

    /// How long after the incident is looked at.
    pub(super) const fn aftermath(self) -> Duration {
        match self {
            Self::Incident { .. } => Duration::from_secs(120),
            _ => Duration::ZERO,
        }
    }

    pub(super) const fn service(self) -> Service {
        Service { world: self, healed: false, sent: VecDeque::new() }
    }
}

pub(super) struct Service {
    world: World,
    healed: bool,
    /// When the calls of the last two seconds came.
    sent: VecDeque<Duration>,
}

const SPAN: Duration = Duration::from_secs(2);
/// A fifth of what comes within this span.
const FEW: usize = 20;

impl Service {
    /// The chance that a call fails which begins now.
    pub(super) fn failing(&mut self, now: Duration) -> f64 {
        let (begins, ends) = (self.world.begins(), self.world.ends());
        match self.world {
            World::Healthy(share) => share,
            World::Incident { before, share } => {
                if (begins..ends).contains(&now) {
                    share
                } else {
                    before
                }
            }
            World::Drift => 0.3 * now.as_secs_f64() / ends.as_secs_f64(),
            World::Bursts => {
                if now.as_secs() % 20 == 19 {
                    1.0
                } else {
                    0.01
                }
            }
            World::Overload { before, share } => {
                self.sent.push_back(now);
                while self.sent.front().is_some_and(|sent| *sent + SPAN < now) {
                    self.sent.pop_front();
                }
                self.healed |= now > begins + SPAN && self.sent.len() < FEW;
                if now < begins || self.healed { before } else { share }
            }
        }
    }
}
