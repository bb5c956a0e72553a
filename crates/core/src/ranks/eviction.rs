//! Who has waited for too long.

use std::task::Waker;

use super::{Rank, Ranks, slab::NONE};
use crate::{Priority, clock::Nanos};

impl Ranks {
    /// When the one of a class came that has waited for the longest.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::{Priority, clock::Nanos, ranks::{Rank, Ranks}};
    ///
    /// let (mut ranks, later) = (Ranks::new(), Nanos::ZERO + Duration::from_secs(1));
    /// let first = ranks.join(Rank::default(), Nanos::ZERO);
    /// let second = ranks.join(Rank::default(), later);
    /// assert_eq!(ranks.oldest(Priority::Medium), Some(Nanos::ZERO));
    ///
    /// let _waker = ranks.evict_oldest(Priority::Medium);
    /// assert!(ranks.is_evicted(&first) && ranks.is_next(&second));
    /// # ranks.leave(first);
    /// # ranks.leave(second);
    /// ```
    #[must_use]
    pub fn oldest(&self, class: Priority) -> Option<Nanos> {
        match self.classes[class.index()].oldest() {
            NONE => None,
            oldest => Some(self.slots.get(oldest).joined),
        }
    }

    /// Puts out whoever of a class came first. Its waker is returned, if it left one, so that it can be
    /// told.
    #[must_use = "who was put out has to be woken"]
    pub fn evict_oldest(&mut self, class: Priority) -> Option<Waker> {
        self.evict(self.classes[class.index()].oldest())
    }

    /// Whether a newcomer may join where `most` in all may wait. In a full queue somebody gives up a place for it, if it
    /// has a right to one, and the waker is put into `evicted`, to be woken.
    ///
    /// Of the places each class has its [floor](super::Floors) as of the turns, rounded, if it wants it; without a place it would
    /// never come to its turn. Where that is none, it has one when it has earned a turn, which it does without a place too.
    /// What is beyond that is lent: to a higher class, and to the class itself.
    /// Who gives up a place is the newest of the lowest class that has more than its floor.
    ///
    /// As in [`has_room`](Self::has_room), a client may take as many places as are free, where those that its class
    /// can get from others are as good as free: it has half of them at the most.
    ///
    /// ```
    /// use tower_ballast_core::{Priority, clock::Nanos, ranks::{Rank, Ranks}};
    ///
    /// let (mut ranks, mut evicted) = (Ranks::new(), None);
    /// let any = |class| Rank { class, ..Rank::default() };
    /// let mut places: Vec<_> =
    ///     (0..100).map(|_| ranks.join(any(Priority::Medium), Nanos::ZERO)).collect();
    /// assert!(!ranks.make_room(&any(Priority::Medium), 100, &mut evicted));
    /// assert!(ranks.make_room(&any(Priority::High), 100, &mut evicted), "it goes first");
    /// assert_eq!(ranks.len(), 99);
    /// places.push(ranks.join(any(Priority::High), Nanos::ZERO));
    /// assert!(ranks.make_room(&any(Priority::Batch), 100, &mut evicted), "its floor is one place");
    /// # for place in places { ranks.leave(place); }
    /// ```
    pub fn make_room(&mut self, rank: &Rank, most: u32, evicted: &mut Option<Waker>) -> bool {
        let class = rank.class;
        let floors = Priority::ALL.map(|class| self.floor(class, most, rank.cost));
        let lens = Priority::ALL.map(|class| self.len_of(class));
        let taken: u32 =
            (0..lens.len())
                .map(|other| {
                    if other > class.index() { lens[other].min(floors[other]) } else { lens[other] }
                })
                .sum();
        let own_floor = floors[class.index()].saturating_sub(lens[class.index()]);
        let is_full = self.len() >= most;
        let loser = Priority::ALL
            .into_iter()
            .rev()
            .find(|other| lens[other.index()] > floors[other.index()]);
        let has_place = self.own(rank) < most.saturating_sub(taken).max(own_floor);
        if !has_place || is_full && loser.is_none() {
            if most > 0 && lens[class.index()] == 0 {
                self.credits.want(class.index(), rank.cost);
            }
            return false;
        }
        if is_full && let Some(loser) = loser {
            let newest = self.classes[loser.index()].newest();
            self.credits.want(loser.index(), self.slots.get(newest).cost);
            *evicted = self.evict(newest);
        }
        true
    }

    /// How many places a class has whenever it wants them; a newcomer to it costs so much.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a u32")]
    fn floor(&self, class: Priority, most: u32, cost: u32) -> u32 {
        let places = (self.floors().of(class).get() * f64::from(most)).round() as u32;
        let next = self.classes[class.index()].next();
        let cost = if next == NONE { cost } else { self.slots.get(next).cost };
        places.max(self.credits.has_earned(class.index(), cost).into())
    }

    pub(super) fn evict(&mut self, number: u32) -> Option<Waker> {
        if number == NONE {
            return None;
        }
        self.slots.at(number).evicted = true;
        self.take_out(number, false)
    }
}
