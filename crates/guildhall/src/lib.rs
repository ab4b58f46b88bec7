#![doc = include_str!("../README.md")]

pub mod city;
pub mod cli;
pub mod demo;
pub mod error;
pub mod keys;
pub mod orders;
pub mod output;
pub mod profile;
pub mod requester;
pub mod values;
