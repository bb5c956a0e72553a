//! The waiting requests of one class, fair between their clients.

use std::{collections::HashMap, mem};

use super::{
    flow::{Flow, IN_CLASS, IN_FLOW, IN_ROUND, SAVED, Slot},
    pace::Pace,
    slab::{List, NONE, Slab},
};
use crate::Key;

/// In each round so many clients at least may have their first turns before others.
const FIRST_TURNS: u32 = 64;

/// A class: its clients take turns by deficit round robin, who was quiet before who was not.
#[derive(Debug)]
pub(super) struct Class {
    /// Those with somebody waiting who have let rounds pass and not made up for them yet.
    fresh: List,
    /// The others. Who has nobody waiting saves a turn each time that it is reached.
    round: List,
    /// How many of each have somebody waiting.
    fresh_len: u32,
    round_len: u32,
    /// How many first turns there were since the last turn of the round.
    first_turns: u32,
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
            fresh: List::EMPTY,
            round: List::EMPTY,
            fresh_len: 0,
            round_len: 0,
            first_turns: 0,
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
        match self.turn() {
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
    /// for every turn of another client before it, for each request of its own before it.
    pub(super) fn cost_ahead(&self, client: Option<Key>, cost: u32) -> u64 {
        let (own, turns) = match self.clients.get(&client) {
            Some(flow) if !self.goes_first(*flow) => {
                (self.flows.get(*flow).cost, self.fresh_len + self.round_len)
            }
            _ => (0, self.fresh_len + self.fresh_len / self.first_turns_a_turn() + 1),
        };
        let cost = u64::from(cost);
        self.cost.min((own + cost).saturating_mul(u64::from(turns))) + cost
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
        let was_quiet = joined.len == 0;
        joined.waiting.push::<IN_FLOW, _>(slots, number);
        joined.len += 1;
        joined.cost += cost;
        if was_quiet {
            self.resume_flow(flow);
        }
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
            self.pause_flow(flow, served);
        }
        if self.len == 0 {
            self.forget();
        }
        self.settle(slots);
    }

    fn begin_flow(&mut self, client: Option<Key>) -> u32 {
        let flow = self.flows.insert(Flow::new(client));
        self.clients.insert(client, flow);
        self.round.push::<IN_ROUND, _>(&mut self.flows, flow);
        flow
    }

    /// Somebody of a client waits again.
    fn resume_flow(&mut self, flow: u32) {
        if self.flows.get(flow).saved > 0 {
            self.move_to(true, flow);
        }
        *self.waiting_beside(flow) += 1;
    }

    /// Nobody of a client waits any more. What was left of its share is gone, and if it had some
    /// of that, so is its turn: who comes and goes gains nothing.
    fn pause_flow(&mut self, flow: u32, served: bool) {
        *self.waiting_beside(flow) -= 1;
        let quantum = self.quantum;
        let paused = self.flows.at(flow);
        let had_some = served || paused.paid && paused.deficit < quantum;
        (paused.deficit, paused.paid) = (0, false);
        if had_some {
            self.end_turn(flow);
        } else if paused.fresh {
            let owes_nothing = paused.saved == SAVED;
            self.move_to(false, flow);
            if owes_nothing {
                self.end_flow(flow);
            }
        }
    }

    /// A client has had its turn, and goes to the end.
    fn end_turn(&mut self, flow: u32) {
        let ended = self.flows.at(flow);
        let waits = ended.len > 0;
        if !ended.fresh {
            self.first_turns = 0;
            return self.move_to(false, flow);
        }
        ended.saved -= 1;
        let stays = waits && ended.saved > 0;
        self.first_turns = self.first_turns.saturating_add(1);
        *self.waiting_beside(flow) -= u32::from(waits);
        self.move_to(stays, flow);
        *self.waiting_beside(flow) += u32::from(waits);
    }

    fn move_to(&mut self, fresh: bool, flow: u32) {
        let was_fresh = mem::replace(&mut self.flows.at(flow).fresh, fresh);
        let from = if was_fresh { &mut self.fresh } else { &mut self.round };
        from.unlink::<IN_ROUND, _>(&mut self.flows, flow);
        let to = if fresh { &mut self.fresh } else { &mut self.round };
        to.push::<IN_ROUND, _>(&mut self.flows, flow);
    }

    fn end_flow(&mut self, flow: u32) {
        self.round.unlink::<IN_ROUND, _>(&mut self.flows, flow);
        self.clients.remove(&self.flows.get(flow).client);
        self.flows.remove(flow);
    }

    /// Nobody waits: no turn is owed to anybody.
    fn forget(&mut self) {
        let (newest_first, pace) = (self.newest_first, self.pace);
        *self = Self { newest_first, pace, ..Self::new() };
    }

    /// Sees to it that the client whose turn it is has somebody waiting and can pay for that.
    fn settle(&mut self, slots: &Slab<Slot>) {
        loop {
            self.pass_over_the_quiet();
            let turn = self.turn();
            if turn == NONE {
                return;
            }
            let cost = u64::from(slots.get(self.head(turn)).cost);
            let quantum = self.quantum;
            let flow = self.flows.at(turn);
            if flow.deficit >= cost {
                return;
            }
            if flow.paid {
                flow.paid = false;
                self.end_turn(turn);
            } else {
                flow.paid = true;
                flow.deficit += quantum;
            }
        }
    }

    /// Who is reached by the round and has nobody waiting saves its turn, and with all that it can
    /// save it is as one that never came.
    fn pass_over_the_quiet(&mut self) {
        while self.round.first != NONE && self.flows.get(self.round.first).len == 0 {
            let first = self.round.first;
            let quiet = self.flows.at(first);
            quiet.saved += 1;
            if quiet.saved >= SAVED { self.end_flow(first) } else { self.move_to(false, first) }
        }
    }

    /// The client whose turn it is, or `NONE`.
    const fn turn(&self) -> u32 {
        let is_first = self.fresh_len > 0 && self.first_turns < self.first_turns_a_turn();
        if self.round_len == 0 || is_first { self.fresh.first } else { self.round.first }
    }

    /// How many first turns may come before a turn of the round.
    const fn first_turns_a_turn(&self) -> u32 {
        if self.round_len == 0 || self.round_len > FIRST_TURNS {
            1
        } else {
            FIRST_TURNS / self.round_len
        }
    }

    /// Whether a request of this client would be as of one that was quiet.
    fn goes_first(&self, flow: u32) -> bool {
        let flow = self.flows.get(flow);
        flow.len == 0 && flow.saved > 0
    }

    /// How many clients with somebody waiting there are where this one is.
    fn waiting_beside(&mut self, flow: u32) -> &mut u32 {
        if self.flows.get(flow).fresh { &mut self.fresh_len } else { &mut self.round_len }
    }

    fn head(&self, flow: u32) -> u32 {
        let waiting = self.flows.get(flow).waiting;
        if self.newest_first { waiting.last } else { waiting.first }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.flows.capacity() + self.clients.capacity()
    }

    #[cfg(test)]
    pub(super) fn known_clients(&self) -> usize {
        self.clients.len()
    }
}
