#![doc = include_str!("../README.md")]

#[cfg(feature = "city")]
pub mod city;
pub mod cli;
#[cfg(feature = "city")]
pub mod demo;
pub mod error;
pub mod keys;
pub mod orders;
pub mod output;
pub mod profile;
pub mod requester;
pub mod values;
