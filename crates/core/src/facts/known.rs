//! Facts made of parts.

use std::num::NonZeroU32;

use super::{Attempt, Facts, Key, Mark};
use crate::{Deadline, Priority};

/// Facts to which nothing has been added yet: nothing is known.
///
/// ```
/// use tower_ballast_core::{facts, Facts};
///
/// let known = facts().repeatable_if(|verb: &&str| *verb == "GET");
/// assert!(known.is_repeatable(&"GET"));
/// assert!(!known.is_repeatable(&"POST"));
/// ```
#[must_use]
pub const fn facts() -> Known {
    Known(())
}

/// Your word that every request may be sent twice without doing more than once.
///
/// ```
/// use tower_ballast_core::{idempotent, Facts};
///
/// assert!(idempotent().is_repeatable(&"any request"));
/// ```
#[must_use]
pub const fn idempotent() -> Idempotent {
    Idempotent(())
}

/// Facts made of parts. Made by [`facts()`] and [`idempotent()`], and by wrapping any other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<F = ()>(F);

impl<F> Known<F> {
    /// Adds to what `facts` knows.
    pub const fn from(facts: F) -> Self {
        Self(facts)
    }
}

/// Every request may be repeated. Made by [`idempotent()`].
#[derive(Debug, Clone, Copy)]
pub struct Idempotent(());

impl<R> Facts<R> for Idempotent {
    fn is_repeatable(&self, _: &R) -> bool {
        true
    }
}

impl Idempotent {
    /// Goes on to add what else is known.
    #[must_use]
    pub const fn and(self) -> Known<Self> {
        Known(self)
    }
}

/// Delegates every method that a part does not answer itself.
macro_rules! rest {
    () => {};
    (deadline $($rest:ident)*) => {
        fn deadline(&self, request: &R) -> Option<Deadline> { self.facts.deadline(request) }
        rest!($($rest)*);
    };
    (priority $($rest:ident)*) => {
        fn priority(&self, request: &R) -> Option<Priority> { self.facts.priority(request) }
        rest!($($rest)*);
    };
    (key $($rest:ident)*) => {
        fn key(&self, request: &R) -> Option<Key> { self.facts.key(request) }
        rest!($($rest)*);
    };
    (cost $($rest:ident)*) => {
        fn cost(&self, request: &R) -> NonZeroU32 { self.facts.cost(request) }
        rest!($($rest)*);
    };
    (is_repeatable $($rest:ident)*) => {
        fn is_repeatable(&self, request: &R) -> bool { self.facts.is_repeatable(request) }
        rest!($($rest)*);
    };
    (attempt $($rest:ident)*) => {
        fn attempt(&self, request: &R) -> Option<Attempt> { self.facts.attempt(request) }
        rest!($($rest)*);
    };
    (mark $($rest:ident)*) => {
        fn mark(&self, request: &mut R, mark: Mark) { self.facts.mark(request, mark); }
        rest!($($rest)*);
    };
}

/// One part: a setter on [`Known`], a type, and the one method it answers.
macro_rules! part {
    (
        $(#[$doc:meta])* $setter:ident -> $part:ident,
        $method:ident($($arg:ident: $Arg:ty),*) $(-> $Out:ty)?, others: $($rest:ident)*
    ) => {
        impl<F> Known<F> {
            $(#[$doc])*
            pub fn $setter<R, P>(self, from: P) -> Known<$part<F, P>>
            where
                P: Fn($($Arg),*) $(-> $Out)?,
            {
                Known($part { facts: self.0, from })
            }
        }

        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $part<F, P> {
            facts: F,
            from: P,
        }

        impl<F, P> std::fmt::Debug for $part<F, P> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($part))
            }
        }

        impl<R, F, P> Facts<R> for $part<F, P>
        where
            F: Facts<R>,
            P: Fn($($Arg),*) $(-> $Out)?,
        {
            fn $method(&self, $($arg: $Arg),*) $(-> $Out)? {
                (self.from)($($arg),*)
            }

            rest!($($rest)*);
        }
    };
}

part!(
    /// Reads the deadline with a closure.
    deadline_from -> DeadlineFrom,
    deadline(request: &R) -> Option<Deadline>,
    others: priority key cost is_repeatable attempt mark
);
part!(
    /// Reads the priority with a closure.
    priority_from -> PriorityFrom,
    priority(request: &R) -> Option<Priority>,
    others: deadline key cost is_repeatable attempt mark
);
part!(
    /// Reads the key with a closure.
    key_from -> KeyFrom,
    key(request: &R) -> Option<Key>,
    others: deadline priority cost is_repeatable attempt mark
);
part!(
    /// Reads the cost with a closure.
    cost_from -> CostFrom,
    cost(request: &R) -> NonZeroU32,
    others: deadline priority key is_repeatable attempt mark
);
part!(
    /// Decides with a closure whether a request may be repeated.
    repeatable_if -> RepeatableIf,
    is_repeatable(request: &R) -> bool,
    others: deadline priority key cost attempt mark
);
part!(
    /// Reads the attempt with a closure.
    attempt_from -> AttemptFrom,
    attempt(request: &R) -> Option<Attempt>,
    others: deadline priority key cost is_repeatable mark
);
part!(
    /// Writes marks on requests with a closure.
    mark_with -> MarkWith,
    mark(request: &mut R, mark: Mark),
    others: deadline priority key cost is_repeatable attempt
);

impl<R, F: Facts<R>> Facts<R> for Known<F> {
    fn deadline(&self, request: &R) -> Option<Deadline> {
        self.0.deadline(request)
    }

    fn priority(&self, request: &R) -> Option<Priority> {
        self.0.priority(request)
    }

    fn key(&self, request: &R) -> Option<Key> {
        self.0.key(request)
    }

    fn cost(&self, request: &R) -> NonZeroU32 {
        self.0.cost(request)
    }

    fn is_repeatable(&self, request: &R) -> bool {
        self.0.is_repeatable(request)
    }

    fn attempt(&self, request: &R) -> Option<Attempt> {
        self.0.attempt(request)
    }

    fn mark(&self, request: &mut R, mark: Mark) {
        self.0.mark(request, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Nanos, count};

    #[derive(Default)]
    struct Request {
        deadline: Option<Deadline>,
        marks: Vec<Mark>,
    }

    #[test]
    fn each_part_answers_for_itself_and_leaves_the_others() {
        let known = idempotent()
            .and()
            .deadline_from(|r: &Request| r.deadline)
            .priority_from(|_: &Request| Some(Priority::Low))
            .cost_from(|_: &Request| count::<4>())
            .key_from(|_: &Request| Some(Key::of("a")))
            .attempt_from(|_: &Request| Some(Attempt::number(2)))
            .mark_with(|r: &mut Request, mark| r.marks.push(mark));
        let deadline = Deadline::at(Nanos::from_nanos(9));
        let mut request = Request { deadline: Some(deadline), marks: vec![] };

        known.mark(&mut request, Mark::Deadline(deadline));

        assert_eq!(known.deadline(&request), Some(deadline));
        assert_eq!(known.priority(&request), Some(Priority::Low));
        assert_eq!(known.cost(&request).get(), 4);
        assert_eq!(known.key(&request), Some(Key::of("a")));
        assert_eq!(known.attempt(&request), Some(Attempt::number(2)));
        assert!(known.is_repeatable(&request));
        assert_eq!(request.marks, [Mark::Deadline(deadline)]);
    }

    #[test]
    fn nothing_is_known_by_default() {
        let mut request = Request::default();
        ().mark(&mut request, Mark::Attempt(Attempt::number(1)));
        assert!(!().is_repeatable(&request));
        assert_eq!(().deadline(&request), None);
        assert_eq!(().cost(&request).get(), 1);
    }
}
