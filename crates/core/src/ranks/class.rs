//! The waiting requests of one class, fair between their clients.

use std::{collections::HashMap, task::Waker};

use super::{
    pace::Pace,
    slab::{Linked, Links, List, NONE, Slab},
};
use crate::{Key, Priority, clock::Nanos};

/// One who waits.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) waker: Option<Waker>,
    pub(super) cost: u32,
    pub(super) class: Priority,
    pub(super) evicted: bool,
    pub(super) joined: Nanos,
    flow: u32,
    in_flow: Links,
    in_class: Links,
}

/// Those of one client and class who wait.
#[derive(Debug)]
pub(super) struct Flow {
    client: Option<Key>,
    waiting: List,
    len: u32,
    cost: u64,
    /// How much of its share is left.
    deficit: u64,
    /// Whether it has got its share of the present round.
    paid: bool,
    in_round: Links,
}

const IN_FLOW: usize = 0;
const IN_CLASS: usize = 1;
const IN_ROUND: usize = 0;

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

/// A class: its clients take turns by deficit round robin.
#[derive(Debug)]
pub(super) struct Class {
    /// Those with somebody waiting; the first has its turn.
    round: List,
    /// In the order in which they came.
    arrivals: List,
    clients: HashMap<Option<Key>, u32>,
    flows: Slab<Flow>,
    pub(super) len: u32,
    pub(super) cost: u64,
    /// What a client gets in each round: the largest cost since the class was empty, so that one
    /// share suffices for any request and finding the next takes no search.
    quantum: u64,
    pub(super) newest_first: bool,
    pub(super) pace: Pace,
}

impl Class {
    pub(super) fn new() -> Self {
        Self {
            round: List::EMPTY,
            arrivals: List::EMPTY,
            clients: HashMap::new(),
            flows: Slab::new(),
            len: 0,
            cost: 0,
            quantum: 1,
            newest_first: false,
            pace: Pace::UNKNOWN,
        }
    }

    /// The request whose turn it is in this class, or `NONE`.
    pub(super) fn next(&self) -> u32 {
        match self.round.first {
            NONE => NONE,
            flow => self.head(flow),
        }
    }

    /// The one that came last, or `NONE`.
    pub(super) const fn newest(&self) -> u32 {
        self.arrivals.last
    }

    /// The one that came first, or `NONE`.
    pub(super) const fn oldest(&self) -> u32 {
        self.arrivals.first
    }

    /// How many of a client's requests wait.
    pub(super) fn len_of(&self, client: Option<Key>) -> u32 {
        self.clients.get(&client).map_or(0, |flow| self.flows.get(*flow).len)
    }

    /// The cost of what a newcomer would wait for, itself included: at the most one of its own size
    /// for every other client and request of its own before it.
    pub(super) fn cost_ahead(&self, client: Option<Key>, cost: u32) -> u64 {
        let (known, clients) = (self.clients.get(&client), self.clients.len() as u64);
        let (own, clients) = match known {
            Some(flow) => (self.flows.get(*flow).cost, clients),
            None => (0, clients + 1),
        };
        let cost = u64::from(cost);
        self.cost.min((own + cost).saturating_mul(clients)) + cost
    }

    pub(super) fn join(&mut self, slots: &mut Slab<Slot>, number: u32, client: Option<Key>) {
        let cost = u64::from(slots.get(number).cost);
        self.quantum = self.quantum.max(cost);
        let flow = match self.clients.get(&client) {
            Some(flow) => *flow,
            None => self.begin_flow(client),
        };
        slots.at(number).flow = flow;
        let joined = self.flows.at(flow);
        joined.waiting.push::<IN_FLOW, _>(slots, number);
        joined.len += 1;
        joined.cost += cost;
        self.arrivals.push::<IN_CLASS, _>(slots, number);
        self.len += 1;
        self.cost += cost;
        self.settle(slots);
    }

    /// Takes a request out; `served` says that it had its turn.
    pub(super) fn take_out(&mut self, slots: &mut Slab<Slot>, number: u32, served: bool) {
        let (flow, cost) = (slots.get(number).flow, u64::from(slots.get(number).cost));
        let left = self.flows.at(flow);
        left.waiting.unlink::<IN_FLOW, _>(slots, number);
        left.len -= 1;
        left.cost -= cost;
        if served {
            left.deficit = left.deficit.saturating_sub(cost);
        }
        let is_over = left.len == 0;
        self.arrivals.unlink::<IN_CLASS, _>(slots, number);
        self.len -= 1;
        self.cost -= cost;
        if is_over {
            self.end_flow(flow);
        }
        self.settle(slots);
    }

    fn begin_flow(&mut self, client: Option<Key>) -> u32 {
        let flow = self.flows.insert(Flow {
            client,
            waiting: List::EMPTY,
            len: 0,
            cost: 0,
            deficit: 0,
            paid: false,
            in_round: Links::NOWHERE,
        });
        self.clients.insert(client, flow);
        self.round.push::<IN_ROUND, _>(&mut self.flows, flow);
        flow
    }

    /// What was left of its share is gone: who comes and goes gains nothing.
    fn end_flow(&mut self, flow: u32) {
        self.round.unlink::<IN_ROUND, _>(&mut self.flows, flow);
        self.clients.remove(&self.flows.get(flow).client);
        self.flows.remove(flow);
        if self.round.is_empty() {
            self.clients = HashMap::new();
            self.quantum = 1;
        }
    }

    /// Sees to it that the client whose turn it is can pay for its next request.
    fn settle(&mut self, slots: &Slab<Slot>) {
        while !self.round.is_empty() {
            let first = self.round.first;
            let cost = u64::from(slots.get(self.head(first)).cost);
            let quantum = self.quantum;
            let flow = self.flows.at(first);
            if flow.deficit >= cost {
                return;
            }
            if flow.paid {
                flow.paid = false;
                self.round.unlink::<IN_ROUND, _>(&mut self.flows, first);
                self.round.push::<IN_ROUND, _>(&mut self.flows, first);
            } else {
                flow.paid = true;
                flow.deficit += quantum;
            }
        }
    }

    fn head(&self, flow: u32) -> u32 {
        let waiting = self.flows.get(flow).waiting;
        if self.newest_first { waiting.last } else { waiting.first }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.flows.capacity() + self.clients.capacity()
    }
}
