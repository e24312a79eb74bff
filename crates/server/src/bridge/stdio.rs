//! Standard input and output, a line at a time.
//!
//! Both have a thread of their own: tokio's would keep the process alive until the next line comes or is read.

use std::io::{BufRead as _, BufReader, Read, Write};

use tokio::sync::{mpsc, oneshot};

/// So many lines wait in either direction; then the side that is too fast has to.
const WAITING: usize = 64;

/// The lines of an input that are not empty.
pub(super) fn lines(input: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let mut input = BufReader::new(input);
        loop {
            let mut line = Vec::new();
            match input.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "Standard input cannot be read.");
                    break;
                }
            }
            let line = line.trim_ascii();
            if !line.is_empty() && sender.blocking_send(line.to_vec()).is_err() {
                break;
            }
        }
    });
    lines
}

/// Where messages go that are for the client.
#[derive(Debug, Clone)]
pub(super) struct Output(mpsc::Sender<Vec<u8>>);

impl Output {
    /// Prints a message on a line of its own.
    pub(super) async fn print(&self, mut message: Vec<u8>) {
        // Inside of a JSON text these are always escaped, so they can only be layout.
        for byte in &mut message {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        message.push(b'\n');
        // When nobody reads any more, the bridge ends anyway.
        let _ = self.0.send(message).await;
    }

    /// Resolves when nobody reads any more.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Writes messages one after the other; also says when all have been written that ever will be.
pub(super) fn printer(mut output: impl Write + Send + 'static) -> (Output, oneshot::Receiver<()>) {
    let (sender, mut lines) = mpsc::channel::<Vec<u8>>(WAITING);
    let (done, written) = oneshot::channel();
    std::thread::spawn(move || {
        while let Some(line) = lines.blocking_recv() {
            if let Err(error) = output.write_all(&line).and_then(|()| output.flush()) {
                tracing::debug!(%error, "Standard output is closed.");
                break;
            }
        }
        drop(lines);
        let _ = done.send(());
    });
    (Output(sender), written)
}

/// What was written, for tests.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(super) struct Written(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Written {
    /// All lines so far.
    pub(super) fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("UTF-8").lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_without_their_ends_and_empty_ones_not_at_all() {
        let mut lines = lines(&b"{\"a\": 1}\r\n\n  \n{}"[..]);

        assert_eq!(lines.recv().await.as_deref(), Some(&b"{\"a\": 1}"[..]));
        assert_eq!(lines.recv().await.as_deref(), Some(&b"{}"[..]));
        assert_eq!(lines.recv().await, None);
    }

    #[tokio::test]
    async fn a_message_takes_one_line() {
        let written = Written::default();
        let (output, done) = printer(written.clone());

        output.print(b"{\n  \"a\": \"\\n\"\r\n}".to_vec()).await;
        output.print(b"{}".to_vec()).await;
        drop(output);
        done.await.expect("the end");

        assert_eq!(written.lines(), ["{   \"a\": \"\\n\"  }", "{}"]);
    }
}
