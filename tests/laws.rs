//! Every layer, in every mode, under every law.

mod circuit_breaker;
mod closures;
mod http;
mod retry;
mod timeout;
