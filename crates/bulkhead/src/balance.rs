//! How a limit is divided, lent and taken back.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tower_ballast_core::{Ratio, clock::Nanos};

/// The gates of the parts, by number.
pub(crate) trait Gates {
    fn limit(&self, part: usize) -> u32;
    fn inside(&self, part: usize) -> u32;
    fn waiting(&self, part: usize) -> u32;
    /// Changes the limit, and wakes nobody.
    fn resize(&self, part: usize, limit: u32);
    /// Lowers the limit by one if that is not in use.
    fn cede(&self, part: usize) -> bool;
}

/// Divides a limit between the gates of its parts.
///
/// Of all limits and of what is inside beyond them there is never more than the whole. A part that wants
/// more gets, one by one, what nobody has, or what others have and do not use. One below its share that
/// finds nothing of this has the part that is the most above its own lowered: that takes nothing from who
/// is inside, but the next to leave there makes room here.
#[derive(Debug)]
pub(crate) struct Balance {
    total: u32,
    shares: Box<[f64]>,
    /// What each has whenever it wants it, in all the total.
    guaranteed: Box<[u32]>,
    /// When each last wanted more and had less than its share.
    wanted: Box<[Option<Nanos>]>,
}

impl Balance {
    /// The last part has what the shares leave; shares of more than the whole are scaled down.
    pub(crate) fn new(total: u32, shares: &[Ratio]) -> Self {
        let sum: f64 = shares.iter().map(|share| share.get()).sum();
        let parts = shares.iter().map(|share| share.get() / sum.max(1.0));
        let shares: Box<[f64]> = parts.chain([(1.0 - sum).max(0.0)]).collect();
        let (guaranteed, wanted) = (shares.iter().map(|_| 0).collect(), shares.iter());
        let wanted = wanted.map(|_| None).collect();
        let mut balance = Self { total, shares, guaranteed, wanted };
        balance.guarantee(total);
        balance
    }

    pub(crate) fn guaranteed(&self, part: usize) -> u32 {
        self.guaranteed[part]
    }

    /// Changes the whole; what the parts have beyond it is taken from those above their shares.
    pub(crate) fn set_total(&mut self, total: u32, gates: &(impl Gates + ?Sized)) {
        self.guarantee(total);
        let limits: u64 = self.parts().map(|part| u64::from(gates.limit(part))).sum();
        let mut excess = limits.saturating_sub(total.into());
        for part in self.parts() {
            let limit = gates.limit(part);
            let above = limit.saturating_sub(self.guaranteed[part]);
            let cut = u32::try_from(excess).map_or(above, |excess| excess.min(above));
            gates.resize(part, limit - cut);
            excess -= u64::from(cut);
        }
    }

    /// Notes that a part has less than its share and got no more.
    pub(crate) fn want(&mut self, part: usize, now: Nanos, gates: &(impl Gates + ?Sized)) {
        if room(gates, part) == 0 && gates.limit(part) < self.guaranteed[part] {
            self.wanted[part] = Some(now);
        }
    }

    /// Moves what can be moved to who wants it: those who wait, and `asker`, who does not yet. Says
    /// whether somebody still wants something, so that whoever leaves has to look again. What a part
    /// has wanted within `keep` and has not got is kept for it, though nobody waits.
    pub(crate) fn settle(
        &mut self,
        gates: &(impl Gates + ?Sized),
        now: Nanos,
        keep: Duration,
        asker: Option<usize>,
    ) -> bool {
        self.trim(gates);
        let is_kept = |wanted: Option<Nanos>| wanted.is_some_and(|at| now.since(at) < keep);
        loop {
            let needs = |part: usize| gates.waiting(part) + u32::from(asker == Some(part));
            let wants = |part: usize| needs(part).saturating_sub(room(gates, part));
            let owed = |part: usize| {
                let lacks = self.guaranteed[part].saturating_sub(gates.limit(part));
                if is_kept(self.wanted[part]) { lacks } else { lacks.min(wants(part)) }
            };
            let spare = self.spare(gates);
            let creditor = self.parts().max_by_key(|part| owed(*part)).filter(|p| owed(*p) > 0);
            let lowest = |part: &usize| gates.limit(*part).saturating_sub(self.guaranteed[*part]);
            let wanting = || self.parts().filter(|part| wants(*part) > 0).min_by_key(lowest);
            let Some(taker) = creditor.or_else(wanting) else {
                self.hand_back(gates, spare);
                return self.outstanding(gates) > 0 || self.used(gates) > self.total.into();
            };
            let has_unused = |part: &usize| {
                let above = gates.limit(*part) > self.guaranteed[*part];
                *part != taker
                    && room(gates, *part) > needs(*part)
                    && (above || !is_kept(self.wanted[*part]))
            };
            let lender = || self.parts().filter(has_unused).max_by_key(lowest);
            if spare > 0 || lender().is_some_and(|lender| gates.cede(lender)) {
                gates.resize(taker, gates.limit(taker).saturating_add(1));
                continue;
            }
            let owed_in_all: u64 = self.parts().map(|part| u64::from(owed(part))).sum();
            let debtor = self.parts().max_by_key(lowest).filter(|part| lowest(part) > 0);
            match debtor {
                Some(debtor) if self.outstanding(gates) < owed_in_all => {
                    gates.resize(debtor, gates.limit(debtor) - 1);
                }
                _ => return true,
            }
        }
    }

    /// What is inside beyond a limit that was lowered leaves so much less for all, until it is out.
    fn trim(&self, gates: &(impl Gates + ?Sized)) {
        while let Some(part) = self.parts().max_by_key(|part| room(gates, *part)) {
            let excess = self.used(gates).saturating_sub(self.total.into());
            let cut = u64::from(room(gates, part)).min(excess);
            if cut == 0 {
                return;
            }
            let left = u64::from(gates.limit(part)).saturating_sub(cut);
            gates.resize(part, u32::try_from(left).expect("it was lowered"));
        }
    }

    /// What no part has, nor uses beyond what it has.
    fn spare(&self, gates: &(impl Gates + ?Sized)) -> u32 {
        let spare = u64::from(self.total).saturating_sub(self.used(gates));
        u32::try_from(spare).unwrap_or(u32::MAX)
    }

    fn used(&self, gates: &(impl Gates + ?Sized)) -> u64 {
        self.parts().map(|part| u64::from(gates.limit(part).max(gates.inside(part)))).sum()
    }

    /// What was taken back and has not come yet.
    fn outstanding(&self, gates: &(impl Gates + ?Sized)) -> u64 {
        let limits: u64 = self.parts().map(|part| u64::from(gates.limit(part))).sum();
        u64::from(self.total).saturating_sub(limits)
    }

    /// What nobody wants goes back to whose share it is.
    fn hand_back(&self, gates: &(impl Gates + ?Sized), mut spare: u32) {
        for part in self.parts() {
            let limit = gates.limit(part);
            let back = self.guaranteed[part].saturating_sub(limit).min(spare);
            if back > 0 {
                gates.resize(part, limit + back);
                spare -= back;
            }
        }
    }

    /// Rounds the shares by largest remainders, so that they come to the whole.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "parts of a u32")]
    fn guarantee(&mut self, total: u32) {
        self.total = total;
        let exact = |part: usize| self.shares[part] * f64::from(total);
        for part in 0..self.shares.len() {
            // What is lost in dividing must not cost a whole one.
            self.guaranteed[part] = (exact(part) + 1e-6) as u32;
        }
        let mut left = total.saturating_sub(self.guaranteed.iter().sum());
        while left > 0 {
            let remainder = |part: usize| exact(part) - f64::from(self.guaranteed[part]);
            let most =
                (0..self.shares.len()).max_by(|a, b| remainder(*a).total_cmp(&remainder(*b)));
            self.guaranteed[most.expect("there is the rest at least")] += 1;
            left -= 1;
        }
    }

    fn parts(&self) -> std::ops::Range<usize> {
        0..self.shares.len()
    }
}

/// How many more a part lets in.
fn room(gates: &(impl Gates + ?Sized), part: usize) -> u32 {
    gates.limit(part).saturating_sub(gates.inside(part))
}
