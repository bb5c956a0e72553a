//! The wish of whoever started a server that it stops.

/// Ready at the first ctrl-c or SIGTERM after this call.
pub(crate) fn interruption() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let mut signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [SignalKind::interrupt(), SignalKind::terminate()]
            .map(|kind| signal(kind).expect("both signals can be caught"))
    };
    async move {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut signals;
            tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        println!("no new connections; running requests may end");
    }
}
