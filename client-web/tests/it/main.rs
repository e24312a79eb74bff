//! The web application's doors, tried from outside: a real PostgreSQL, HTTP, and a Picard server made for the
//! purpose. The kit is in `kit`; every other module tries one part.

mod accounts;
mod administration;
mod authorization_code;
mod colours;
mod command_line;
mod configuration;
mod connecting;
mod deleting;
mod disconnecting;
mod figures;
mod forms;
mod groups;
mod hostile_text;
mod kit;
mod memories;
mod personas;
mod preferences;
mod refreshing;
mod responses;
mod searching;
mod server_troubles;
mod settings;
mod sharing;
mod signing_in;
mod transfers;
mod upgrade;
mod whose_account;
