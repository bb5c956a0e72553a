//! What is told before the answer (1xx).

use super::rig::Rig;

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn interim_answers_go_back_at_once_and_in_order() {
    let rig = Rig::passing().await;
    let mut caller = rig.caller().await;
    caller.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut upstream = rig.upstream().await;
    upstream.hear("\r\n\r\n").await;

    upstream.say("HTTP/1.1 102 Processing\r\n\r\n").await;
    assert_eq!(caller.hear("\r\n\r\n").await, "HTTP/1.1 102 Processing\r\n\r\n");
    upstream.say("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n").await;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n";
    assert_eq!(caller.hear("\r\n\r\n").await, hints);
    upstream.say(FINE).await;
    assert!(caller.hear("ok").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn interim_answers_that_come_with_the_final_one_stay_before_it() {
    let rig = Rig::passing().await;
    let interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (_, answer) = rig.exchange(ask, &format!("{interim}{FINE}")).await;
    let rest = answer.strip_prefix(interim).unwrap_or_else(|| panic!("{answer}"));
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("ok"), "{answer}");
}

#[tokio::test]
async fn interim_answers_lose_what_belongs_to_one_connection() {
    let rig = Rig::passing().await;
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nconnection: x-hop\r\nx-hop: 1\r\nlink: </a>\r\n\r\n";
    let (_, answer) = rig.exchange(ask, &format!("{hints}{FINE}")).await;
    assert!(answer.starts_with("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200"));
}

#[tokio::test]
async fn a_caller_of_the_old_version_hears_the_final_answer_alone() {
    let rig = Rig::passing().await;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let (_, answer) = rig.exchange("GET / HTTP/1.0\r\n\r\n", &format!("{hints}{FINE}")).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_is_asked_for_when_the_upstream_asks() {
    let rig = Rig::passing().await;
    let mut caller = rig.caller().await;
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    caller.say(head).await;
    let mut upstream = rig.upstream().await;
    assert!(upstream.hear("\r\n\r\n").await.contains("\r\nexpect: 100-continue\r\n"));
    assert!(caller.hears_nothing().await);

    upstream.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(caller.hear("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    caller.say("hello").await;
    assert_eq!(upstream.hear("hello").await, "hello");
    upstream.say(FINE).await;
    assert!(caller.hear("ok").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_body_that_the_upstream_declines_is_not_asked_for() {
    let rig = Rig::passing().await;
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let no = "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n";
    let (_, answer) = rig.exchange(head, no).await;
    assert!(answer.starts_with("HTTP/1.1 417 Expectation Failed\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_is_asked_for_when_the_upstream_says_nothing_for_long() {
    let rig = Rig::passing().await;
    let mut caller = rig.caller().await;
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    caller.say(head).await;
    let mut upstream = rig.upstream().await;
    upstream.hear("\r\n\r\n").await;
    assert_eq!(caller.hear("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    caller.say("hello").await;
    assert_eq!(upstream.hear("hello").await, "hello");
}
