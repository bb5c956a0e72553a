//! A request that is not answered by what is there, alone or with others.

use std::{any::Any, sync::Arc};

use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_ballast_core::{
    Attempt, BoxError, Deadline, Priority, clock,
    flights::{Boarding, Landed, Wait},
};
use tower_service::Service;

use crate::{
    answer::{Found, Miss, refusal},
    body::CacheBody,
    engine::{Outcome, Status},
    fill::Reader,
    progress::Coming,
    quest::{Followed, Quest},
    statistics::count,
};

/// A request, and what is needed to send it.
pub(crate) struct Exchange<S, B> {
    pub(crate) service: S,
    pub(crate) request: Request<B>,
    pub(crate) quest: Quest,
    /// The body for a second request, if there can be one.
    pub(crate) second: fn(&B) -> Option<B>,
}

pub(crate) type Answer<B, E> = Result<Response<CacheBody<B>>, E>;

/// What a call gives to the one whose request was sent, and what the others get.
pub(crate) struct Own {
    outcome: Box<dyn Any + Send>,
    shares: Shares,
}

/// What those get who waited for the answer to another's request.
#[derive(Clone)]
pub(crate) enum Shares {
    /// They look again for what is there now.
    Look,
    /// They read along; the place keeps the body until they have theirs.
    Coming(Coming, Option<Arc<Reader>>),
    /// The answer is for one alone.
    Alone,
    /// The service failed, with that status or with none.
    Failed(Option<StatusCode>),
}

impl<S, B, RB> Exchange<S, B>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    /// Waits for the answer to another's request, or sends this one.
    pub(crate) async fn run(self, mut miss: Miss) -> Answer<RB, S::Error> {
        if !self.quest.may_join() || miss.resource.goes_alone(clock::now()) {
            return self.go_alone(miss).await;
        }
        let Self { service, request, quest, second } = self;
        let (why, mut has_failed, mut failed) = (miss.why, false, None);
        // Of those who were told of a failure one makes the call anew, and the others wait for that.
        for _ in 0..2 {
            let followed = match quest.coming() {
                Some(coming) => quest.follow(coming, why).await,
                None => match quest.board(&miss, failed.take()) {
                    Boarding::First(start) => {
                        count(&quest.shared.counts.misses);
                        let mut call = Self { service, request, quest, second };
                        make_nobodys(&mut call.request);
                        let call = call.lead(miss);
                        return match start.with(call, Own::share).await {
                            Landed::Led(own) => own.into_outcome(),
                            _ => unreachable!("who begins a call is given what it gave"),
                        };
                    }
                    Boarding::Joined(seat) => {
                        let limit = quest.shared.settings.longest_wait.get();
                        let mut wait = Wait::new(seat, limit);
                        let followed = match (&mut wait).await {
                            Some(Landed::Shared(shares)) => quest.share(shares, why).await,
                            Some(_) => Followed::Failed,
                            None => Followed::Late,
                        };
                        failed = matches!(followed, Followed::Failed).then_some(wait);
                        followed
                    }
                },
            };
            has_failed = match followed {
                Followed::Answer(response) => return Ok(response),
                Followed::Alone => false,
                Followed::Failed => true,
                // That it takes long is no failure, and the next wait might be in vain as well.
                Followed::Late => {
                    (has_failed, miss.has_waited) = (false, true);
                    break;
                }
            };
            match quest.look(Some(why)) {
                Found::Answer { response, .. } => return Ok(response),
                Found::Miss(found) => miss = Miss { has_waited: true, ..found },
                Found::Missing | Found::Bypass => break,
            }
            if miss.resource.goes_alone(clock::now()) {
                has_failed = false;
                break;
            }
        }
        if has_failed {
            count(&quest.shared.counts.failed);
            let mut status = Status::new(Outcome::Forwarded(why));
            status.collapsed = Some(true);
            let code = StatusCode::BAD_GATEWAY;
            return Ok(refusal(&quest.shared, code, status, "shared-call-failed"));
        }
        Self { service, request, quest, second }.go_alone(miss).await
    }

    async fn go_alone(self, miss: Miss) -> Answer<RB, S::Error> {
        count(&self.quest.shared.counts.misses);
        self.fetch(miss).await.0
    }

    /// Fetches for all who wait. Another call may have ended after this request looked and before it began this one.
    async fn lead(self, miss: Miss) -> Own {
        let Self { service, request, quest, second } = self;
        let why = miss.why;
        if let Some(coming) = quest.coming() {
            if let Followed::Answer(response) = quest.follow(coming.clone(), why).await {
                return Own::new::<RB, S::Error>(Ok(response), Shares::Coming(coming, None));
            }
        } else if let Found::Answer { response, .. } = quest.look(Some(why)) {
            return Own::new::<RB, S::Error>(Ok(response), Shares::Look);
        }
        Self { service, request, quest, second }.renew(miss).await
    }

    /// Fetches, whatever is there.
    pub(crate) async fn renew(self, miss: Miss) -> Own {
        let (outcome, shares) = self.fetch(miss).await;
        Own::new(outcome, shares)
    }
}

/// Takes out of a request what was written on it for the one who sent it: who shares the answer may have more time, and
/// matter more. Whom it is counted for stays.
pub(crate) fn make_nobodys<B>(request: &mut Request<B>) {
    let marks = request.extensions_mut();
    marks.remove::<Deadline>();
    marks.remove::<Priority>();
    marks.remove::<Attempt>();
}

impl Own {
    fn new<RB: Send + 'static, E: Send + 'static>(outcome: Answer<RB, E>, shares: Shares) -> Self {
        Self { outcome: Box::new(outcome), shares }
    }

    pub(crate) fn share(&self) -> Shares {
        self.shares.clone()
    }

    pub(crate) fn into_outcome<RB: 'static, E: 'static>(self) -> Answer<RB, E> {
        let outcome = self.outcome.downcast::<Answer<RB, E>>();
        *outcome.expect("who begins a call knows what it gives")
    }
}
