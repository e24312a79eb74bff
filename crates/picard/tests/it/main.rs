//! Tests of the launcher: its parts, and the whole through the real binary.

mod application;
mod browser;
mod command_line;
mod consent;
mod db_run;
mod deployment;
mod house;
mod journeys;
mod kit;
mod locks;
mod own_account;
mod pages;
mod up;
mod wheels;
