//! The post against other posts: a world of some, with a network between them that a test holds in
//! its hand.

mod befriending;
mod hostile;
mod sending;
mod world;
