use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tower_ballast_core::{BoxError, Classify, FailureKind, Retryable, Verdict};
use tower_ballast_http::HttpClassify;

use crate::wire::{client, get, http2_client, listener};

#[tokio::test]
async fn no_connection_proves_that_nothing_was_sent() {
    // Bound and not listening: nobody else can take the port meanwhile.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let error = client::<Body>().request(get(address)).await.unwrap_err();
    let verdict = verdict(error);
    assert_eq!(verdict.retryable(), Retryable::Unsent);
    assert_eq!(verdict.kind(), Some(FailureKind::Transient));
}

#[tokio::test]
async fn a_connection_closed_before_the_head_proves_nothing() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        // One answer, so that the connection is reused; then the request is read, and no answer.
        let (mut stream, _) = listener.accept().await.unwrap();
        read_some(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        read_some(&mut stream).await;
    });
    let client = client::<Body>();
    assert_eq!(client.request(get(address)).await.unwrap().status(), 200);
    let error = client.request(get(address)).await.unwrap_err();
    assert!(!error.is_connect());
    assert_eq!(verdict(error).retryable(), Retryable::IfRepeatable);
}

#[tokio::test]
async fn an_upload_that_the_caller_breaks_off_is_no_failure_of_the_service() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    });
    let parts = [Ok("half"), Err(std::io::Error::other("the disk is gone"))];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    let request = Request::post(format!("http://{address}/")).body(body).unwrap();
    let error = client::<Body>().request(request).await.unwrap_err();
    assert_eq!(verdict(error), Verdict::ignore());
}

#[tokio::test]
async fn a_refused_stream_proves_that_it_was_not_looked_at() {
    let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    assert_eq!(after_frame(&reset).await.retryable(), Retryable::Unsent);
}

#[tokio::test]
async fn a_stream_above_the_last_of_a_goaway_was_not_looked_at() {
    let go_away = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(after_frame(&go_away).await.retryable(), Retryable::Unsent);
}

#[tokio::test]
async fn a_stream_reset_for_another_reason_may_have_been_looked_at() {
    let cancel = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    assert_eq!(after_frame(&cancel).await.retryable(), Retryable::IfRepeatable);
    let last_is_ours = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(after_frame(&last_is_ours).await.retryable(), Retryable::IfRepeatable);
}

/// The verdict on a request that an HTTP/2 server answers by this frame, and by closing.
async fn after_frame(frame: &[u8]) -> Verdict {
    let (listener, address) = listener().await;
    let frame = frame.to_vec();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        stream.write_all(&settings).await.unwrap();
        read_until_headers(&mut stream).await;
        stream.write_all(&frame).await.unwrap();
        stream.shutdown().await.unwrap();
        // The client's last frames are read, lest closing resets the connection.
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    });
    let error = http2_client::<Body>().request(get(address)).await.unwrap_err();
    served.abort();
    verdict(error)
}

/// Reads HTTP/2 frames until a request begins.
async fn read_until_headers(stream: &mut TcpStream) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == 1 {
            return;
        }
    }
}

async fn read_some(stream: &mut TcpStream) {
    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
}

/// The verdict is the same on an error as it is and in a box.
fn verdict(error: Error) -> Verdict {
    let bare: Result<&Response<Incoming>, _> = Err(&error);
    let bare = Classify::<Request<Body>, _, _>::verdict(&HttpClassify::new(), &(), bare);
    let boxed: BoxError = error.into();
    let boxed: Result<&Response<Incoming>, _> = Err(&boxed);
    let boxed = Classify::<Request<Body>, _, _>::verdict(&HttpClassify::new(), &(), boxed);
    assert_eq!(bare, boxed);
    bare
}
