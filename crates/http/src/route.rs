//! The route of axum that a request has taken.

use std::borrow::Cow;

use axum::extract::MatchedPath;
use tower_ballast_core::{Key, Operation};

use crate::{HttpRequest, client::Identity};

/// Goes by the route of axum that a request has matched, such as `/items/{id}`, and never by the path,
/// of which clients can invent as many as they like.
///
/// It names operations for figures, and is a key for limits and circuits: each route then has one of
/// its own. With [`each`](ByRoute::each) every client has one on every route. A request that matched
/// none has no name and no key.
///
/// The route is known to layers that are added by `Router::layer` or `MethodRouter::layer`, and not to what
/// stands around the whole router, since that runs before a route is looked for.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
/// use tower_ballast_core::{Facts, Key, count};
/// use tower_ballast_http::{ByRoute, ClientIp, HttpFacts, Identity, RespondLayer};
/// use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// // 1000 a second in all, and 2 on each route.
/// let routes = KeyLimit::new(64, Quota::per_second(count::<2>())).name("route");
/// let limit = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
///     .per_key(routes, |request: &Request<Body>| ByRoute.key(request));
/// let app: Router = Router::new()
///     .route("/items/{id}", get(async || "an item"))
///     .route("/about", get(async || "about"))
///     .layer((RespondLayer::new(), limit));
///
/// let mut statuses = Vec::new();
/// for path in ["/items/1", "/items/2", "/items/3", "/about"] {
///     let request = Request::get(path).body(Body::empty()).unwrap();
///     statuses.push(app.clone().oneshot(request).await.unwrap().status().as_u16());
/// }
/// assert_eq!(statuses, [200, 200, 429, 200]);
/// # });
///
/// // Or each client by itself on each of them.
/// let known = HttpFacts::new().client(ByRoute.each(ClientIp::trusting_hops(1)));
/// # let _ = known;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ByRoute;

impl ByRoute {
    /// Tells clients apart as `client` does, and each of them on each route.
    ///
    /// A request without a route or without a client has no key.
    pub const fn each<C>(self, client: C) -> EachOnRoute<C> {
        EachOnRoute(client)
    }

    fn of<R: HttpRequest>(request: &R) -> Option<&str> {
        Some(request.extensions()?.get::<MatchedPath>()?.as_str())
    }
}

impl<R: HttpRequest> Operation<R> for ByRoute {
    fn name<'a>(&self, request: &'a R) -> Option<Cow<'a, str>> {
        Self::of(request).map(Cow::Borrowed)
    }
}

impl<R: HttpRequest> Identity<R> for ByRoute {
    fn key(&self, request: &R) -> Option<Key> {
        Self::of(request).map(Key::of)
    }
}

/// Each client on each route. Made by [`ByRoute::each`].
#[derive(Debug, Clone, Copy)]
pub struct EachOnRoute<C>(C);

impl<R: HttpRequest, C: Identity<R>> Identity<R> for EachOnRoute<C> {
    fn key(&self, request: &R) -> Option<Key> {
        let route = ByRoute::of(request)?;
        Some(Key::of(&(self.0.key(request)?, route)))
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::Body,
        http::{Request, Response, StatusCode},
        routing::get,
    };
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;
    use crate::ClientToken;

    /// What a layer on a router sees of a request: its name, and its keys by route and by client on it.
    type Seen = (Option<String>, Option<Key>, Option<Key>);

    async fn seen(path: &str, token: Option<&str>) -> Seen {
        let (tell, told) = std::sync::mpsc::channel();
        let look = ServiceBuilder::new().map_request(move |request: Request<Body>| {
            let name = ByRoute.name(&request).map(Cow::into_owned);
            let each = ByRoute.each(ClientToken::new()).key(&request);
            tell.send((name, ByRoute.key(&request), each)).unwrap();
            request
        });
        let app: Router = Router::new()
            .route("/items/{id}", get(async || "an item"))
            .route("/carts/{id}", get(async || "a cart"))
            .fallback(async || StatusCode::NOT_FOUND)
            .layer(look);
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer: Response<Body> =
            app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_ne!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        told.recv().unwrap()
    }

    #[tokio::test]
    async fn a_million_paths_are_one_route() {
        let first = seen("/items/1", None).await;
        assert_eq!(first.0.as_deref(), Some("/items/{id}"));
        assert_eq!(first, seen("/items/2?page=3", None).await);
        assert_ne!(first.1, seen("/carts/1", None).await.1);
    }

    #[tokio::test]
    async fn what_matched_none_has_no_name_and_no_key() {
        assert_eq!(seen("/invented/4711", Some("ann")).await, (None, None, None));
    }

    #[tokio::test]
    async fn a_client_has_a_key_on_each_route_and_shares_it_with_nobody() {
        let ann = seen("/items/1", Some("ann")).await;
        assert_eq!(ann.2, seen("/items/2", Some("ann")).await.2);
        assert_ne!(ann.2, seen("/items/1", Some("bob")).await.2);
        assert_ne!(ann.2, seen("/carts/1", Some("ann")).await.2);
        assert_eq!(seen("/items/1", None).await.2, None);
    }
}
