//! One who waits, and a client of whom somebody waits.

use std::task::Waker;

use super::slab::{Linked, Links, List, NONE};
use crate::{Key, Priority, clock::Nanos};

/// One who waits.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) waker: Option<Waker>,
    pub(super) cost: u32,
    pub(super) class: Priority,
    pub(super) evicted: bool,
    pub(super) joined: Nanos,
    pub(super) flow: u32,
    in_flow: Links,
    in_class: Links,
}

/// So many turns of rounds that it let pass a client may make up for.
pub(super) const SAVED: u8 = 4;

/// Those of one client and class who wait.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) client: Option<Key>,
    pub(super) waiting: List,
    pub(super) len: u32,
    pub(super) cost: u64,
    /// How much of its share is left.
    pub(super) deficit: u64,
    /// Whether it has got its share of the present round.
    pub(super) paid: bool,
    /// Whether it goes before those who have had their turns.
    pub(super) fresh: bool,
    /// How many turns it may have as one who was quiet.
    pub(super) saved: u8,
    in_round: Links,
}

pub(super) const IN_FLOW: usize = 0;
pub(super) const IN_CLASS: usize = 1;
pub(super) const IN_ROUND: usize = 0;

impl Linked<IN_FLOW> for Slot {
    fn links(&mut self) -> &mut Links {
        &mut self.in_flow
    }
}

impl Linked<IN_CLASS> for Slot {
    fn links(&mut self) -> &mut Links {
        &mut self.in_class
    }
}

impl Linked<IN_ROUND> for Flow {
    fn links(&mut self) -> &mut Links {
        &mut self.in_round
    }
}

impl Slot {
    pub(super) const fn new(class: Priority, cost: u32, joined: Nanos) -> Self {
        Self {
            waker: None,
            cost,
            class,
            evicted: false,
            joined,
            flow: NONE,
            in_flow: Links::NOWHERE,
            in_class: Links::NOWHERE,
        }
    }
}

impl Flow {
    pub(super) const fn new(client: Option<Key>) -> Self {
        Self {
            client,
            waiting: List::EMPTY,
            len: 0,
            cost: 0,
            deficit: 0,
            paid: false,
            fresh: false,
            saved: SAVED,
            in_round: Links::NOWHERE,
        }
    }
}
