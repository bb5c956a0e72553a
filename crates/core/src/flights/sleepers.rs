//! Who waits for a call, by number.

use std::{collections::BTreeMap, task::Waker};

/// The wakers of those who wait. One alone takes no memory.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    one: Option<(u64, Waker)>,
    others: BTreeMap<u64, Waker>,
}

impl Sleepers {
    pub(super) fn put(&mut self, number: u64, waker: &Waker) {
        match &mut self.one {
            None if !self.others.contains_key(&number) => self.one = Some((number, waker.clone())),
            Some((one, known)) if *one == number => known.clone_from(waker),
            _ => {
                self.others
                    .entry(number)
                    .and_modify(|known| known.clone_from(waker))
                    .or_insert_with(|| waker.clone());
            }
        }
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Waker> {
        match self.one.take() {
            Some((one, waker)) if one == number => Some(waker),
            one => {
                self.one = one;
                self.others.remove(&number)
            }
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Waker> {
        let one = self.one.as_ref().filter(|(one, _)| *one == number);
        one.map(|(_, waker)| waker).or_else(|| self.others.get(&number))
    }

    /// The one that came first of those who wait.
    pub(super) fn first(&self) -> Option<(u64, &Waker)> {
        let one = self.one.as_ref().map(|(number, waker)| (*number, waker));
        let other = self.others.first_key_value().map(|(number, waker)| (*number, waker));
        match (one, other) {
            (Some(one), Some(other)) => Some(if one.0 < other.0 { one } else { other }),
            (one, other) => one.or(other),
        }
    }

    pub(super) fn wake_all(self) {
        self.one.into_iter().for_each(|(_, waker)| waker.wake());
        self.others.into_values().for_each(Waker::wake);
    }
}
