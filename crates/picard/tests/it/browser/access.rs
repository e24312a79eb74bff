//! What keeps people out of a page: what axe-core finds, what a keyboard does not reach, what moves while it loads.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};

use super::{Browser, TAB};

/// The rules of WCAG 2.2, levels A and AA, and what axe-core holds for good practice.
const FIND: &str = "const done = arguments[arguments.length - 1];
    const rules = arguments[0] ? { runOnly: ['color-contrast'] } : {};
    axe.run(document, { ...rules, preload: false, resultTypes: ['violations'] }).then(
        (found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) =>
            `${rule.id}: ${node.html.slice(0, 200)} (${node.failureSummary.replaceAll('\\n', ' ')})`))),
        (problem) => done([String(problem)]));";

/// Notes every element that gets the focus, and whether one sees that.
const WATCH: &str = "window.focused = new Set();
    window.unmarked = [];
    window.isMarked = (target) => {
        const style = getComputedStyle(target);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && target.checkVisibility();
    };
    document.addEventListener('focusin', ({ target }) => {
        if (!isMarked(target)) unmarked.push(target);
        focused.add(target.type === 'radio' ? target.name : target);
    });
    document.activeElement?.blur();
    return document.querySelectorAll('a, button, input, select, textarea, summary').length;";

/// Which visible controls never had the focus, and which had it without a sign of it. The latter are asked once more: a busy
/// browser may tell of the focus before it has looked at its styles.
const MISSED: &str = "const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]';
    const wanted = [...document.querySelectorAll(controls)].filter((one) => one.checkVisibility() && !one.disabled);
    const missed = wanted.filter((one) => !focused.has(one.type === 'radio' ? one.name : one));
    return missed.map((one) => `out of reach: ${one.outerHTML.slice(0, 200)}`)
        .concat(unmarked.filter((one) => (one.focus(), !isMarked(one))).map((one) => `no focus to be seen: ${one.outerHTML.slice(0, 200)}`));";

/// How much came over the line for this page, and how far its parts have moved.
const MEASURE: &str = "const done = arguments[arguments.length - 1];
    let moved = 0;
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) moved += shift.value;
    }).observe({ type: 'layout-shift', buffered: true });
    const entries = performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'));
    // What was in the cache already weighs as much for whoever comes for the first time.
    const bytes = entries.reduce((sum, one) => sum + Math.max(one.transferSize, one.encodedBodySize + 300), 0);
    setTimeout(() => done([bytes, moved]), 400);";

/// What a page asks of whoever opens it for the first time.
#[derive(Debug)]
pub(crate) struct Burden {
    /// Bytes of the page and all that belongs to it.
    pub(crate) bytes: f64,
    /// Cumulative layout shift (W3C Layout Instability); 0 when nothing moves.
    pub(crate) shift: f64,
}

impl Browser {
    /// Asserts that axe-core finds nothing wrong with the page, in light colours and dark.
    pub(super) async fn assert_open_to_all(&self, axe: &str, name: &str) {
        self.run(axe, Vec::new()).await;
        for theme in ["light", "dark"] {
            self.colours(theme).await;
            // Only colours differ in the dark.
            let found = self.wait_for(FIND, vec![json!(theme == "dark")]).await;
            let found = found.as_array().expect("a list");
            assert!(found.is_empty(), "{name}, {theme}: {}", lines(found));
        }
        self.colours("light").await;
    }

    /// Goes through the page with the Tab key alone: every control can be reached, and one sees where one is.
    pub(crate) async fn assert_keyboard_reaches_all(&self, name: &str) {
        let count = self.run(WATCH, Vec::new()).await.as_u64().expect("a number");
        // Fields for times have several stops each.
        let steps = usize::try_from(count).expect("a small number") + 15;
        self.keys(&TAB.repeat(steps)).await;
        let missed = self.run(MISSED, Vec::new()).await;
        let missed = missed.as_array().expect("a list");
        assert!(missed.is_empty(), "{name}: {}", lines(missed));
    }

    /// What the page that is shown asks of whoever opens it.
    pub(crate) async fn burden(&self) -> Burden {
        let measured = self.wait_for(MEASURE, Vec::new()).await;
        let number = |index: usize| measured[index].as_f64().expect("a number");
        Burden { bytes: number(0), shift: number(1) }
    }

    /// Asserts that no dialog is open and nothing in the page could run what somebody wrote.
    pub(crate) async fn assert_harmless(&self, name: &str) {
        let alert = self.client.get_alert_text().await;
        assert!(alert.is_err(), "WEB-01: a dialog on {name}: {alert:?}");
        let found = self.run(UNSAFE, Vec::new()).await;
        let found = found.as_array().expect("a list");
        assert!(found.is_empty(), "WEB-01: {name}: {}", lines(found));
    }

    /// Shows pages as on a system that likes this theme and wants nothing to move.
    pub(super) async fn colours(&self, theme: &str) {
        let features =
            json!([{ "name": "prefers-color-scheme", "value": theme }, { "name": "prefers-reduced-motion", "value": "reduce" }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// What a script answers later.
    async fn wait_for(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.expect("chromedriver obeys")
    }
}

/// Elements and attributes that no page of ours has. Our own script is in the head.
const UNSAFE: &str =
    "const elements = 'body script, style, iframe, object, embed, base, math, img, animate, meta[http-equiv], [srcdoc], [style]';
    const handlers = [...document.querySelectorAll('*')].filter((one) =>
        one.getAttributeNames().some((name) => name.startsWith('on')) || /^(javascript|data|vbscript):/i.test(one.href ?? ''));
    return [...document.querySelectorAll(elements), ...handlers].map((one) => one.outerHTML.slice(0, 200));";

fn lines(found: &[Value]) -> String {
    found.iter().fold(String::new(), |mut text, line| {
        let _ = write!(text, "\n  {line}");
        text
    })
}

/// The source of axe-core, when AXE_CORE names its file; otherwise one line tells the person.
#[expect(clippy::disallowed_methods, reason = "where `scripts/test` has put it is told by the environment alone")]
pub(super) fn axe_core() -> Option<String> {
    let Some(path) = std::env::var_os("AXE_CORE") else {
        let line = "left out: pages are not looked at by axe-core, AXE_CORE does not name its file";
        writeln!(std::io::stderr(), "{line}").expect("a line on standard error");
        return None;
    };
    Some(fs::read_to_string(path).expect("AXE_CORE names a file that can be read"))
}
