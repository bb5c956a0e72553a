use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::{Mount, broken, drops::all_given_back, mount::asked, subject::Testable};
use crate::{Step, time};

/// A fuse for a closure that one gives to a layer: it blows, by a panic, when a law has lit it.
///
/// ```
/// use tower_ballast_test::laws::Fuse;
///
/// let fuse = Fuse::new();
/// let within = fuse.clone();
/// let classify = move |outcome: Result<&u32, &std::io::Error>| {
///     within.touch();
///     outcome.is_ok()
/// };
/// assert!(classify(Ok(&1)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Fuse {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    lit: AtomicBool,
    blown: AtomicUsize,
}

impl Fuse {
    /// A fuse that nobody has lit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Called in the closure. Nothing happens, unless a law has lit the fuse: then it panics, once.
    ///
    /// # Panics
    ///
    /// When it is lit.
    pub fn touch(&self) {
        if self.state.lit.swap(false, Ordering::SeqCst) {
            self.state.blown.fetch_add(1, Ordering::SeqCst);
            resume_unwind(Box::new("a closure of the user panicked".to_owned()));
        }
    }

    fn light(&self) {
        self.state.lit.store(true, Ordering::SeqCst);
    }

    fn put_out(&self) {
        self.state.lit.store(false, Ordering::SeqCst);
    }

    fn blown(&self) -> usize {
        self.state.blown.load(Ordering::SeqCst)
    }
}

/// A panic in a closure that the user gave to the layer (a classifier, an observer, a predicate)
/// breaks nothing: nothing is left behind, and the next ten calls are served.
///
/// The closure [touches](Fuse::touch) the fuse. It is lit before each of a hundred calls, half of
/// which fail, so closures that are asked only when things go wrong get their turn.
///
/// ```
/// use tower::{Layer, ServiceBuilder, layer::layer_fn};
/// use tower_ballast_test::laws::{self, Fuse, Subject};
///
/// let fuse = Fuse::new();
/// let within = fuse.clone();
/// let subject = Subject::new(move || {
///     let fuse = within.clone();
///     ServiceBuilder::new()
///         .map_request(move |number: u32| {
///             fuse.touch();
///             number
///         })
///         .into_inner()
/// });
/// laws::panicking_closures_break_nothing(&subject, &fuse);
/// ```
///
/// # Panics
///
/// When the layer breaks this law, or never asks the closure.
pub fn panicking_closures_break_nothing(subject: &dyn Testable, fuse: &Fuse) {
    const LAW: &str = "a panic in a user's closure breaks nothing for the next call";
    time::drive(async {
        let mount = subject.mount();
        let baseline = mount.counts();
        let service = mount.service();
        for round in 0..100 {
            if round % 7 == 0 {
                // Also what the layer does when it recovers asks closures.
                mount.rest().await;
            }
            asked_with(&mount, fuse, round).await;
            if round % 10 == 0 {
                mount.rest().await;
                if let Err(seen) = mount.serves_ten(&mut service.cloned()).await {
                    broken(LAW, format!("after {} panic(s) {seen}", fuse.blown()));
                }
            }
        }
        if fuse.blown() == 0 {
            broken(LAW, "the layer never asked the closure that holds the fuse");
        }
        if let Err(seen) = all_given_back(LAW, &mount, &baseline, service).await {
            broken(LAW, format!("after {} panic(s) {seen}", fuse.blown()));
        }
    });
}

async fn asked_with(mount: &Mount, fuse: &Fuse, round: u32) {
    mount.script.always(if round.is_multiple_of(2) { Step::answer() } else { Step::fail() });
    fuse.light();
    // Whatever comes of it.
    let _ = asked(&mut mount.service(), round).await;
    fuse.put_out();
    mount.script.calm();
}
