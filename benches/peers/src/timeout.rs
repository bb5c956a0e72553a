//! Timeouts whose inner future is ready at once, or only at the second poll.

use std::time::Duration;

use tower::{Layer, timeout::TimeoutLayer as TowerTimeout};
use tower_ballast_timeout::TimeoutLayer;
use tower_resilience::timelimiter::TimeLimiterLayer;

use crate::{
    harness::{Bar, Case, Expect::Answers},
    services::{Noop, Yielding},
};

const TOWER_READY: &str = "tower timeout, inner ready";
const TOWER_WAITING: &str = "tower timeout, inner waiting";
const LIMIT: Duration = Duration::from_secs(30);

pub fn cases() -> Vec<Case> {
    let tower = TowerTimeout::new(LIMIT);
    let resilience = TimeLimiterLayer::builder().timeout_duration(LIMIT).build();
    let ballast = TimeoutLayer::new(LIMIT);
    vec![
        Case::reused(TOWER_READY, tower.layer(Noop), Answers),
        Case::reused(
            "tower-resilience timeout, inner ready",
            resilience.layer(Noop),
            Answers,
        ),
        Case::reused("ballast timeout, inner ready", ballast.layer(Noop), Answers)
            .against(TOWER_READY, Bar::Cost(0.2)),
        Case::reused(TOWER_WAITING, tower.layer(Yielding), Answers),
        Case::reused(
            "tower-resilience timeout, inner waiting",
            resilience.layer(Yielding),
            Answers,
        ),
        Case::reused(
            "ballast timeout, inner waiting",
            ballast.layer(Yielding),
            Answers,
        )
        .against(TOWER_WAITING, Bar::Cost(1.05)),
    ]
}
