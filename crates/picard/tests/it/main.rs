//! Tests of the launcher: its parts, and the whole through the real binary.

mod command_line;
mod db_run;
mod kit;
mod locks;
mod up;
mod wheels;
