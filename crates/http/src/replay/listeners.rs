//! Who waits for the next piece of a body.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

/// Those who wait for the next piece of a body.
///
/// A body wakes only the last one who asked. As long as there is one reader that is enough, and
/// costs nothing; with two attempts alive at once, the body is asked in the name of all.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    one: Option<Waker>,
    crowd: Option<Arc<Crowd>>,
}

#[derive(Debug)]
struct Crowd(Mutex<Vec<Waker>>);

impl Listeners {
    /// Makes room for another reader beside those that are `alive`.
    pub(super) fn join(&mut self, alive: bool) {
        let one = self.one.take();
        if alive && self.crowd.is_none() {
            self.crowd = Some(Arc::new(Crowd(Mutex::new(one.into_iter().collect()))));
        }
    }

    /// The waker to ask the body with, in the name of `asking`.
    pub(super) fn waker(&mut self, asking: &Waker) -> Option<Waker> {
        match &self.crowd {
            Some(crowd) => {
                let mut waiting = crowd.lock();
                if !waiting.iter().any(|waker| waker.will_wake(asking)) {
                    waiting.push(asking.clone());
                }
                Some(Waker::from(Arc::clone(crowd)))
            }
            None => None,
        }
    }

    /// Remembers who was told to wait.
    pub(super) fn wait(&mut self, asking: &Waker) {
        match (&self.crowd, &mut self.one) {
            (Some(_), _) => {}
            (None, Some(one)) => one.clone_from(asking),
            (None, one) => *one = Some(asking.clone()),
        }
    }

    /// Wakes all but the one who knows already.
    pub(super) fn wake_others(&self, knows: Option<&Waker>) {
        if let Some(crowd) = &self.crowd {
            crowd.wake_all(knows);
        }
    }
}

impl Crowd {
    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        // A vector of wakers is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_all(&self, knows: Option<&Waker>) {
        let waiting = mem::take(&mut *self.lock());
        for waker in waiting {
            if knows.is_none_or(|knows| !waker.will_wake(knows)) {
                waker.wake();
            }
        }
    }
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        self.wake_all(None);
    }
}
