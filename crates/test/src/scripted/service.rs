use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tower_service::Service;

use super::{
    future::{Alive, ResponseFuture},
    script::{Script, Wait},
    slots::{Place, Until},
    standing::{Polled, Standing},
    step::{End, Progress, ReadyEnd, Step},
    tally::Violation,
};

/// A service that does as its [`Script`] says: answers, fails, is slow, hangs, yields, panics, or
/// is not ready. It records every request and every breach of the service contract.
///
/// Clones share the script and the record; readiness they do not share, as the contract has it.
///
/// ```
/// use std::time::Duration;
/// use tower::{Service, ServiceExt};
/// use tower_ballast_test::{Scripted, Step, time};
///
/// let mut backend = Scripted::new(|name: &&str| format!("hello {name}"), || "no answer");
/// backend.script().then(Step::answer().after(Duration::from_secs(1)));
/// backend.script().then(Step::fail());
/// backend.then_give(Ok("something else".to_owned()));
///
/// time::drive(async {
///     let started = tokio::time::Instant::now();
///     assert_eq!(backend.ready().await?.call("Ada").await?, "hello Ada");
///     assert_eq!(started.elapsed(), Duration::from_secs(1));
///
///     assert_eq!(backend.ready().await?.call("Bob").await, Err("no answer"));
///     assert_eq!(backend.ready().await?.call("Cy").await?, "something else");
///     assert_eq!(backend.ready().await?.call("Di").await?, "hello Di");
/// #   Ok::<(), &str>(())
/// })?;
///
/// assert_eq!(backend.take_requests(), ["Ada", "Bob", "Cy", "Di"]);
/// assert!(backend.script().violations().is_empty());
/// # Ok::<(), &str>(())
/// ```
pub struct Scripted<Req, Res, E> {
    script: Script,
    answers: Arc<Answers<Req, Res, E>>,
    standing: Standing,
}

/// The error of a scripted service in its plain form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScriptError;

type Own<Req, Res, E> = Box<dyn FnOnce(&Req) -> Result<Res, E> + Send>;

struct Answers<Req, Res, E> {
    answer: Box<dyn Fn(&Req) -> Res + Send + Sync>,
    error: Box<dyn Fn() -> E + Send + Sync>,
    own: Mutex<HashMap<u64, Own<Req, Res, E>>>,
    record: Mutex<Record<Req>>,
}

struct Record<Req> {
    requests: Vec<Req>,
    keep: bool,
    next_own: u64,
}

impl Scripted<u32, u32, ScriptError> {
    /// The plain form: it answers with the number it was asked.
    #[must_use]
    pub fn echo() -> Self {
        Self::new(|request| *request, || ScriptError)
    }
}

impl<Req, Res, E> Scripted<Req, Res, E> {
    /// A service that makes its responses and its errors by these closures.
    #[must_use]
    pub fn new(
        answer: impl Fn(&Req) -> Res + Send + Sync + 'static,
        error: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self {
        let answers = Answers {
            answer: Box::new(answer),
            error: Box::new(error),
            own: Mutex::new(HashMap::new()),
            record: Mutex::new(Record { requests: Vec::new(), keep: true, next_own: 0 }),
        };
        Self { script: Script::new(), answers: Arc::new(answers), standing: Standing::Fresh }
    }

    /// The script of this service and all its clones.
    #[must_use]
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Queues a call that ends at once with this outcome.
    pub fn then_give(&self, outcome: Result<Res, E>)
    where
        Res: Send + 'static,
        E: Send + 'static,
    {
        self.then_with(Step::answer(), move |_| outcome);
    }

    /// Queues a call that takes the course of `step` and ends with what the closure makes of the
    /// request. It is made when the call is, and given when the course is over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_test::{Scripted, Step};
    ///
    /// let backend = Scripted::echo();
    /// backend.then_with(Step::answer().after(Duration::from_secs(1)), |n| Ok(n * 2));
    /// ```
    pub fn then_with(
        &self,
        step: Step,
        outcome: impl FnOnce(&Req) -> Result<Res, E> + Send + 'static,
    ) {
        let number = {
            let mut record = lock(&self.answers.record);
            record.next_own += 1;
            record.next_own
        };
        lock(&self.answers.own).insert(number, Box::new(outcome));
        self.script.then(Step { own: Some(number), ..step });
    }

    /// Takes the requests received since the last time, in the order of their calls.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Req> {
        std::mem::take(&mut lock(&self.answers.record).requests)
    }

    /// Keeps no requests from now on: they are dropped as soon as the response is made.
    #[must_use]
    pub fn without_record(self) -> Self {
        lock(&self.answers.record).keep = false;
        self
    }

    fn outcome(&self, step: &Step, request: Req) -> Result<Res, E> {
        let own = step.own.and_then(|number| lock(&self.answers.own).remove(&number));
        let outcome = match (own, step.end) {
            (Some(own), _) => own(&request),
            (None, End::Fail) => Err((self.answers.error)()),
            (None, _) => Ok((self.answers.answer)(&request)),
        };
        let mut record = lock(&self.answers.record);
        if record.keep {
            record.requests.push(request);
        }
        outcome
    }

    fn start_over(&mut self) -> Standing {
        std::mem::replace(&mut self.standing, Standing::Fresh)
    }
}

impl<Req, Res, E> Service<Req> for Scripted<Req, Res, E> {
    type Response = Res;
    type Error = E;
    type Future = ResponseFuture<Res, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.script.count(|tally| tally.ready_polls += 1);
        loop {
            match &mut self.standing {
                Standing::Fresh => {
                    let readiness = self.script.next_readiness();
                    let progress = Progress::new(readiness.course, Wait::Readiness);
                    let polled = Polled::new(&self.script);
                    self.standing = Standing::Asking(readiness, progress, polled);
                }
                Standing::Asking(readiness, progress, _) => {
                    ready!(progress.poll(&self.script, cx));
                    let end = readiness.end;
                    let Standing::Asking(_, _, polled) = self.start_over() else {
                        continue;
                    };
                    match end {
                        ReadyEnd::Fail => return Poll::Ready(Err((self.answers.error)())),
                        ReadyEnd::Panic => {
                            drop(polled);
                            self.script.blow("poll_ready");
                        }
                        ReadyEnd::Ready => {
                            self.standing = match Place::new(&self.script) {
                                Some(place) => Standing::Queued(place, polled),
                                None => Standing::Ready { slot: None, _polled: polled },
                            }
                        }
                    }
                }
                Standing::Queued(place, _) => {
                    let slot = ready!(place.poll(cx));
                    let Standing::Queued(_, polled) = self.start_over() else {
                        continue;
                    };
                    self.standing = Standing::Ready { slot: Some(slot), _polled: polled };
                }
                Standing::Ready { .. } => return Poll::Ready(Ok(())),
            }
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let call = self.script.count_call();
        let alive = Alive::new(&self.script, call);
        let mut slot = None;
        match self.start_over() {
            Standing::Ready { slot: taken, .. } => slot = taken,
            _ => self.script.violate(Violation::CalledUnready { call }),
        }
        if self.script.with_slots(|slots| slots.until()) == Some(Until::Called) {
            slot = None;
        }
        let step = self.script.next_step();
        let outcome = self.outcome(&step, request);
        if step.end == End::PanicInCall {
            self.script.blow("call");
        }
        ResponseFuture::new(step, outcome, alive, slot)
    }
}

impl<Req, Res, E> Clone for Scripted<Req, Res, E> {
    fn clone(&self) -> Self {
        Self {
            script: self.script.clone(),
            answers: Arc::clone(&self.answers),
            standing: Standing::Fresh,
        }
    }
}

impl<Req, Res, E> fmt::Debug for Scripted<Req, Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted")
            .field("tally", &self.script.tally())
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script says that the service fails")
    }
}

impl std::error::Error for ScriptError {}

// Only a user's closure can panic under these locks, and it leaves them in order.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
