//! What is there, made fresh by what the origin says of it.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, header};

use super::Fetched;
use crate::{
    answer::{Held, answer},
    body::CacheBody,
    engine::{Entry, Unkept, freshen, is_same},
    exchange::Shares,
    resource::Variant,
    statistics::count,
};

impl Fetched {
    /// What is there was asked about and is still good.
    pub(super) fn validated<RB>(
        self,
        variant: &Variant,
        headers: &HeaderMap,
    ) -> (Response<CacheBody<RB>>, Shares) {
        let (fresh, may_stay) = self.freshened(&variant.entry, headers);
        let fresh = Arc::new(fresh);
        let mut is_kept = false;
        let is_now = self.quest.shared.change(self.at(), |resource| match may_stay {
            Ok(()) => is_kept = resource.freshen(&variant.entry, &fresh),
            Err(_) => resource.forget(&variant.entry),
        });
        count(&self.quest.shared.counts.validated);
        let mut status = self.miss.status();
        (status.forwarded, status.stored) = (Some(304), is_kept && is_now);
        let held = (&*fresh, Held::Here(&variant.body));
        let mut response =
            answer(&self.quest.shared, held, self.quest.ask(), self.times.came, status);
        if headers.contains_key(header::SET_COOKIE) {
            // In the place of those that were kept (RFC 9111 section 3.2).
            response.headers_mut().remove(header::SET_COOKIE);
        }
        for cookie in headers.get_all(header::SET_COOKIE) {
            response.headers_mut().append(header::SET_COOKIE, cookie.clone());
        }
        if may_stay.is_ok() && self.is_for_all(&fresh) == Some(true) {
            return (response, Shares::Look);
        }
        self.go_alone();
        (response, Shares::Alone)
    }

    /// An entry made fresh, and whether it may still be kept. A cookie that comes with that and may not be kept is for the
    /// one who asked.
    fn freshened(&self, entry: &Entry, headers: &HeaderMap) -> (Entry, Result<(), Unkept>) {
        let fresh = freshen(&self.quest.rules, entry, headers, self.times);
        match fresh.may_stay(&self.quest.rules, self.quest.ask()) {
            Err(Unkept::Cookie) if headers.contains_key(header::SET_COOKIE) => {
                let mut headers = headers.clone();
                headers.remove(header::SET_COOKIE);
                let fresh = freshen(&self.quest.rules, entry, &headers, self.times);
                let may_stay = fresh.may_stay(&self.quest.rules, self.quest.ask());
                (fresh, may_stay)
            }
            may_stay => (fresh, may_stay),
        }
    }

    /// What the answer to a HEAD tells of what is there.
    pub(super) fn compare(&self, status: StatusCode, headers: &HeaderMap) {
        let resource = self.quest.shared.find(&self.quest.identity);
        let Some(variant) = resource.variant_for(&self.quest.head.headers) else { return };
        if status != StatusCode::OK {
            return;
        }
        self.quest.shared.change(self.at(), |resource| {
            let same = is_same(&variant.entry, headers);
            match same.then(|| self.freshened(&variant.entry, headers)) {
                Some((fresh, Ok(()))) => {
                    resource.freshen(&variant.entry, &Arc::new(fresh));
                }
                _ => resource.forget(&variant.entry),
            }
        });
    }
}
