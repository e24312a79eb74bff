//! The stylesheet's colours, measured (WCAG 2.2, success criteria 1.4.3 and 1.4.11): both themes, every pair in use.

use std::collections::HashMap;

const STYLESHEET: &str = include_str!("../../static/style.css");
/// For words.
const TEXT: f64 = 4.5;
/// For what one has to see in order to use it: borders of fields, the ring around what has the focus.
const CONTROL: f64 = 3.0;

const GROUNDS: [&str; 3] = ["ground", "surface", "sunken"];
const ON_EVERY_GROUND: [(&str, f64); 7] = [
    ("ink", TEXT),
    ("soft", TEXT),
    ("accent", TEXT),
    ("accent-strong", TEXT),
    ("danger", TEXT),
    ("field-line", CONTROL),
    ("danger-strong", CONTROL),
];
const PAIRS: [(&str, &str); 8] = [
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-danger", "danger"),
    ("on-danger", "danger-strong"),
    ("good-ink", "good-ground"),
    ("bad-ink", "bad-ground"),
    ("public-ink", "public-ground"),
    ("shared-ink", "shared-ground"),
];

/// The colour tokens, light and dark.
fn tokens() -> HashMap<&'static str, [&'static str; 2]> {
    let token = |line: &'static str| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
        let (light, dark) = value.strip_suffix(");")?.split_once(", ")?;
        (light.len() == 7 && dark.len() == 7).then_some((name, [light, dark]))
    };
    STYLESHEET.lines().filter_map(token).collect()
}

/// The relative luminance of `#rrggbb`, 0 to 1.
fn luminance(colour: &str) -> f64 {
    let part = |from: usize| {
        let value = u8::from_str_radix(&colour[from..from + 2], 16).expect("two hexadecimal digits");
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn contrast_is_measured_as_the_standard_says() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.001);
    assert!((contrast("#777777", "#ffffff") - 4.478).abs() < 0.001);
}

#[test]
fn words_and_controls_stand_out_in_both_themes() {
    let tokens = tokens();
    let of_grounds = ON_EVERY_GROUND.iter().flat_map(|(name, least)| GROUNDS.map(|ground| (*name, ground, *least)));
    let of_pairs = PAIRS.iter().map(|(name, ground)| (*name, *ground, TEXT));

    for (name, ground, least) in of_grounds.chain(of_pairs) {
        for theme in [0, 1] {
            let measured = contrast(tokens[name][theme], tokens[ground][theme]);
            assert!(measured >= least, "--{name} on --{ground} has {measured:.2}:1 in {}", ["light", "dark"][theme]);
        }
    }
}
