//! A limit on what runs at once, with room to spare, and with none.

use tower::{Layer, limit::GlobalConcurrencyLimitLayer};
use tower_ballast_bulkhead::BulkheadLayer;
use tower_resilience::bulkhead::BulkheadLayer as ResilienceBulkhead;

use crate::{
    harness::{
        Bar, Case,
        Expect::{Answers, Refusals},
    },
    services::Noop,
};

const TOWER: &str = "tower concurrency limit";
const LIMIT: u16 = 100;

pub fn cases() -> Vec<Case> {
    let tower = GlobalConcurrencyLimitLayer::new(LIMIT.into());
    let resilience = ResilienceBulkhead::builder()
        .max_concurrent_calls(LIMIT.into())
        .build()
        .expect("a limit within its range");
    let ballast = BulkheadLayer::new(LIMIT.into());
    let queue = BulkheadLayer::new(LIMIT.into()).queue(LIMIT.into());
    vec![
        Case::reused(TOWER, tower.layer(Noop), Answers),
        Case::reused("tower-resilience bulkhead", resilience.layer(Noop), Answers),
        Case::reused("ballast bulkhead", ballast.layer(Noop), Answers)
            .against(TOWER, Bar::Cost(0.5)),
        Case::reused("ballast bulkhead with a queue", queue.layer(Noop), Answers)
            .against(TOWER, Bar::Cost(0.5)),
        Case::reused(
            "ballast bulkhead, full",
            BulkheadLayer::new(0).layer(Noop),
            Refusals,
        )
        .against(TOWER, Bar::None),
    ]
}
