use tower_ballast_http::{ReqwestDrain, ReqwestReplay};

use crate::HttpClient;

/// Protects a `reqwest::Client`: the same stack as [`http_client`](crate::http_client).
///
/// A request is repeated when reqwest can clone it, which means that its body is no stream.
/// reqwest retries some requests on its own; make the client with a retry policy of `never` to
/// have one place that decides.
///
/// ```
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let client = reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap();
/// let mut client = ServiceBuilder::new().layer(tower_ballast::reqwest_client()).service(client);
///
/// let url = "http://127.0.0.1:1/".parse().unwrap();
/// let request = reqwest::Request::new(reqwest::Method::GET, url);
/// assert!(client.ready().await.unwrap().call(request).await.is_err());
/// # });
/// ```
pub fn reqwest_client() -> HttpClient<ReqwestReplay, ReqwestDrain> {
    HttpClient::sending_again(ReqwestReplay, ReqwestDrain::new())
}
