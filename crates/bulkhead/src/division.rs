//! The parts of a bulkhead.

use std::{
    sync::{Arc, OnceLock, PoisonError, Weak},
    time::Duration,
};

use tower_ballast_core::{Name, Ratio, clock, gate::Gate};

use crate::{
    balance::{Balance, Gates},
    shared::Shared,
    sync::{
        Mutex, MutexGuard,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
            fence,
        },
    },
};

/// For so long a share is kept for a part that was refused below it, where nobody waits.
const KEEP: Duration = Duration::from_secs(1);

/// What a bulkhead is divided into.
#[derive(Debug)]
pub(crate) struct Division {
    shares: Vec<(Name, Ratio)>,
    /// Those with a name, and the rest.
    pub(crate) parts: Box<[Arc<Shared>]>,
    pub(crate) exchange: Arc<Exchange>,
}

/// Where the parts get and give what they borrow.
#[derive(Debug)]
pub(crate) struct Exchange {
    balance: Mutex<Balance>,
    /// Whether somebody wants something, and whoever leaves has to look.
    pressed: AtomicBool,
    parts: OnceLock<Box<[Weak<Shared>]>>,
}

/// A place at the exchange.
#[derive(Debug)]
pub(crate) struct Part {
    exchange: Arc<Exchange>,
    number: usize,
}

impl Division {
    pub(crate) fn new(whole: &Shared, shares: &[(Name, Ratio)]) -> Self {
        let total = whole.gate.limit();
        let ratios: Vec<Ratio> = shares.iter().map(|(_, share)| *share).collect();
        let balance = Balance::new(total, &ratios);
        let limits: Vec<u32> = (0..=shares.len()).map(|part| balance.guaranteed(part)).collect();
        let (balance, pressed) = (Mutex::new(balance), AtomicBool::new(false));
        let exchange = Arc::new(Exchange { balance, pressed, parts: OnceLock::new() });
        let part = |(number, limit)| {
            let part = Part { exchange: Arc::clone(&exchange), number };
            Arc::new(whole.part_of(limit, part))
        };
        let parts: Box<[Arc<Shared>]> = limits.into_iter().enumerate().map(part).collect();
        let known = parts.iter().map(Arc::downgrade).collect();
        exchange.parts.set(known).expect("it was made above");
        Self { shares: shares.to_vec(), parts, exchange }
    }

    pub(crate) fn shares(&self) -> &[(Name, Ratio)] {
        &self.shares
    }

    pub(crate) fn part(&self, name: &str) -> Option<&Arc<Shared>> {
        let number = self.shares.iter().position(|(known, _)| **known == *name)?;
        Some(&self.parts[number])
    }
}

impl Exchange {
    /// Changes the limit of the whole, which `gate` keeps, and of the parts in one step; if it is still `from`,
    /// where that is given.
    pub(crate) fn resize(&self, gate: &Gate, from: Option<u32>, total: u32, queue: bool) -> bool {
        let mut balance = self.lock();
        let is_changed = from.is_none_or(|from| gate.resize_from(from, total));
        if is_changed {
            gate.resize(total);
            balance.set_total(total, self.gates());
            drop(balance);
            self.settle(keep(queue), None);
        }
        is_changed
    }

    fn settle(&self, keep: Duration, asker: Option<usize>) {
        let mut balance = self.lock();
        // Said before looking, so that whoever leaves after the look comes here.
        self.pressed.store(true, Relaxed);
        fence(SeqCst);
        let now = clock::now();
        let pressed = balance.settle(self.gates(), now, keep, asker);
        if let Some(asker) = asker {
            balance.want(asker, now, self.gates());
        }
        self.pressed.store(pressed, Relaxed);
        // Whom a waker runs may leave, and then comes here again.
        drop(balance);
        self.gates().iter().filter_map(Weak::upgrade).for_each(|part| part.gate.rouse());
    }

    fn gates(&self) -> &[Weak<Shared>] {
        self.parts.get().map_or(&[], |parts| parts)
    }

    fn lock(&self) -> MutexGuard<'_, Balance> {
        self.balance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Tries to get room for one more.
    #[cold]
    pub(crate) fn ask(&self, queue: bool) {
        self.exchange.settle(keep(queue), Some(self.number));
    }

    /// Somebody waits.
    pub(crate) fn queued(&self) {
        self.exchange.settle(Duration::ZERO, None);
    }

    /// Somebody left, from inside or from the queue: what it had, or would have had, may be another's.
    #[inline]
    pub(crate) fn left(&self, queue: bool) {
        fence(SeqCst);
        if self.exchange.pressed.load(Relaxed) {
            self.exchange.settle(keep(queue), None);
        }
    }
}

/// Who waits says what is wanted; where nobody may, only time can.
const fn keep(queue: bool) -> Duration {
    if queue { Duration::ZERO } else { KEEP }
}

/// A part that is gone has nothing, and gives nothing.
impl Gates for [Weak<Shared>] {
    fn limit(&self, part: usize) -> u32 {
        self[part].upgrade().map_or(0, |part| part.gate.limit())
    }

    fn inside(&self, part: usize) -> u32 {
        self[part].upgrade().map_or(0, |part| part.gate.inside())
    }

    fn waiting(&self, part: usize) -> u32 {
        self[part].upgrade().map_or(0, |part| part.gate.waiting())
    }

    fn resize(&self, part: usize, limit: u32) {
        if let Some(part) = self[part].upgrade() {
            part.gate.resize_silently(limit);
        }
    }

    fn cede(&self, part: usize) -> bool {
        self[part].upgrade().is_some_and(|part| part.gate.cede())
    }
}
