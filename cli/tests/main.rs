//! `kith` as its users run it: the real program, a real daemon, real pipes.
//!
//! Nothing sleeps: what a test waits for is asked of the daemon until it is so, for a limited time.

mod bench;
mod bus;
mod demo;
mod durable;
mod failures;
mod grants;
mod install;
mod kit;
mod pages;
mod people;
mod publish;
mod reply;
mod request;
mod services;
mod status;
mod subscribe;
mod tap;
mod thief;
mod top;
mod tutorial;
