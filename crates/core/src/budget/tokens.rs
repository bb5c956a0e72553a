use crate::{
    Ratio,
    clock::Nanos,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

const UNIT: u64 = 1_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// Tokens in billionths, so that shares add up exactly and a token a second is a unit a
/// nanosecond.
#[derive(Debug)]
pub(super) struct Tokens {
    balance: AtomicU64,
    /// What it held at first.
    initial: AtomicU64,
    most: AtomicU64,
    /// Tokens a second.
    floor: AtomicU64,
    /// The first nanosecond that they have not been paid for; 0 until there is one.
    paid: AtomicU64,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            balance: AtomicU64::new(units(5)),
            initial: AtomicU64::new(units(5)),
            most: AtomicU64::new(units(10)),
            floor: AtomicU64::new(0),
            paid: AtomicU64::new(0),
        }
    }

    pub(super) fn set(&self, balance: u64) {
        self.most.fetch_max(balance, Relaxed);
        self.balance.store(balance, Relaxed);
        self.initial.store(balance, Relaxed);
    }

    /// The same bounds, with what it held at first.
    pub(super) fn separate(&self) -> Self {
        let (initial, most) = (self.initial.load(Relaxed), self.most.load(Relaxed));
        Self {
            balance: AtomicU64::new(initial.min(most)),
            initial: AtomicU64::new(initial),
            most: AtomicU64::new(most),
            floor: AtomicU64::new(self.floor.load(Relaxed)),
            paid: AtomicU64::new(0),
        }
    }

    pub(super) fn set_most(&self, most: u64) {
        self.most.store(most, Relaxed);
        // What a deposit of this moment still brings above the new bound, nobody can withdraw.
        self.balance.fetch_min(most, Relaxed);
    }

    pub(super) fn set_floor(&self, per_second: u32) {
        self.floor.store(u64::from(per_second), Relaxed);
    }

    pub(super) fn balance(&self) -> u64 {
        self.balance.load(Relaxed).min(self.most.load(Relaxed))
    }

    #[inline]
    pub(super) fn deposit(&self, units: u64) {
        let mut balance = self.balance.load(Relaxed);
        loop {
            let most = self.most.load(Relaxed);
            let next = balance.saturating_add(units).min(most);
            // A full balance is only read, so that threads do not fight for its cache line.
            if next == balance {
                return;
            }
            match self.balance.compare_exchange_weak(balance, next, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(actual) => balance = actual,
            }
        }
    }

    pub(super) fn withdraw(&self, units: u64) -> bool {
        let mut balance = self.balance.load(Relaxed);
        loop {
            let Some(rest) = balance.min(self.most.load(Relaxed)).checked_sub(units) else {
                return false;
            };
            match self.balance.compare_exchange_weak(balance, rest, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(actual) => balance = actual,
            }
        }
    }

    /// Pays the floor up to `now`. Each nanosecond is paid once, by whoever moves the mark over it.
    pub(super) fn refill(&self, now: Nanos) {
        let floor = self.floor.load(Relaxed);
        if floor == 0 {
            return;
        }
        let end = now.as_nanos().saturating_add(1);
        let unpaid = match self.paid.fetch_max(end, Relaxed) {
            0 => SECOND,
            paid => end.saturating_sub(paid),
        };
        self.deposit(unpaid.saturating_mul(floor));
    }
}

pub(super) fn units(tokens: u32) -> u64 {
    u64::from(tokens) * UNIT
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a billion is from 0 to a billion"
)]
pub(super) fn share(ratio: Ratio) -> u64 {
    (ratio.get() * UNIT as f64).round() as u64
}

#[allow(clippy::cast_precision_loss, reason = "a level to look at")]
pub(super) fn whole(units: u64) -> f64 {
    units as f64 / UNIT as f64
}
