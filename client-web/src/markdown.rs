//! Memory text on a page: Markdown, rendered and then sanitised. The text is hostile until both are done
//! (WEB-01, WEB-02): it may come from anybody who made a memory public.

use std::borrow::Cow;
use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// The most characters that a memory has; nothing longer is rendered.
pub(crate) const MOST_CHARACTERS: usize = 32_768;
/// Lists, quotes and emphasis inside of each other. What is deeper is shown on the last level: nobody could tell the
/// levels apart, and a parser of HTML takes a time that grows with the square of the depth.
const MOST_LEVELS: usize = 32;
/// As much of a text as its beginning is looked for in, in characters.
const BEGINNING: usize = 8_192;

/// Renders on a thread where it holds up no other request. An empty string stands for what could not be rendered.
pub(crate) async fn rendered(text: String) -> String {
    tokio::task::spawn_blocking(move || to_html(&text)).await.unwrap_or_default()
}

/// Renders Markdown to HTML that is safe to put into a page. HTML in it is shown as text; images become links,
/// so that reading a memory tells nobody.
pub(crate) fn to_html(text: &str) -> String {
    let mut unsafe_html = String::with_capacity(text.len() * 2);
    html::push_html(&mut unsafe_html, events(&shallow(text)));
    sanitizer().clean(&unsafe_html).to_string()
}

/// The beginning of a text without its markup, for lists.
pub(crate) fn excerpt(text: &str, characters: usize) -> String {
    let mut plain = String::new();
    let beginning = text.char_indices().nth(BEGINNING).map_or(text, |(end, _)| &text[..end]);
    for event in events(&shallow(beginning)) {
        match event {
            Event::Text(piece) | Event::Code(piece) => plain.push_str(&piece),
            Event::Start(_) => {}
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link) => {}
            _ => plain.push(' '),
        }
        // Collapsing white space shortens it again, so twice the length is surely enough.
        if plain.len() > characters * 8 {
            break;
        }
    }
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words,
    }
}

fn events(text: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events = levels(Parser::new_ext(text, options)).flat_map(|event| match event {
        // A table that is wider than the page is scrolled, by keyboard too.
        Event::Start(Tag::Table(columns)) => {
            [Some(Event::Html(r#"<div class="wide" tabindex="0">"#.into())), Some(Event::Start(Tag::Table(columns)))]
        }
        Event::End(TagEnd::Table) => [Some(Event::End(TagEnd::Table)), Some(Event::Html("</div>".into()))],
        event => [Some(harmless(event)), None],
    });
    events.flatten()
}

/// Leaves out the beginnings and ends of what is too deep.
fn levels<'a>(events: impl Iterator<Item = Event<'a>>) -> impl Iterator<Item = Event<'a>> {
    let mut level = 0_usize;
    events.filter(move |event| match event {
        Event::Start(_) => {
            level += 1;
            level <= MOST_LEVELS
        }
        Event::End(_) => {
            level = level.saturating_sub(1);
            level < MOST_LEVELS
        }
        _ => true,
    })
}

/// Puts a backslash before the mark that would begin one quote or list too many on a line. Only so can a short text nest
/// deeply: on lines of their own, each level is indented further than the one before.
fn shallow(text: &str) -> Cow<'_, str> {
    let mut places = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        places.extend(one_too_many(line).map(|place| start + place));
        start += line.len();
    }
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shallow = String::with_capacity(text.len() + places.len());
    let mut done = 0;
    for place in places {
        shallow.push_str(&text[done..place]);
        shallow.push('\\');
        done = place;
    }
    shallow.push_str(&text[done..]);
    Cow::Owned(shallow)
}

/// Where in a line the mark is that would nest too deeply. A backslash there, or before the point of a number, makes the
/// rest of the line a text.
fn one_too_many(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let (mut place, mut marks) = (0, 0);
    loop {
        place += bytes[place..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let digits = bytes[place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mark = place + digits;
        let is_followed_by_space = matches!(bytes.get(mark + 1), Some(b' ' | b'\t'));
        match bytes.get(mark)? {
            b'>' if digits == 0 => {}
            b'-' | b'+' | b'*' if digits == 0 && is_followed_by_space => {}
            b'.' | b')' if (1..=9).contains(&digits) && is_followed_by_space => {}
            _ => return None,
        }
        if marks == MOST_LEVELS {
            return Some(mark);
        }
        marks += 1;
        place = mark + 1;
    }
}

fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(markup) | Event::InlineHtml(markup) => Event::Text(markup),
        // People who press Enter mean a new line.
        Event::SoftBreak => Event::HardBreak,
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => Event::Start(Tag::Link { link_type, dest_url, title, id }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        event => event,
    }
}

fn sanitizer() -> Builder<'static> {
    let tags = [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    let mut builder = Builder::empty();
    builder
        .tags(tags.into())
        .tag_attributes([("a", ["href"].into()), ("ol", ["start"].into())].into())
        .tag_attribute_values([("div", [("class", ["wide"].into()), ("tabindex", ["0"].into())].into())].into())
        .generic_attributes(HashSet::new())
        .url_schemes(["http", "https", "mailto"].into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean_content_tags(["script", "style"].into());
    builder
}

#[cfg(test)]
mod tests {
    use super::{excerpt, to_html};

    #[test]
    fn markdown_becomes_html() {
        let html = to_html("# Tea\nGreen *and* black\n\n- [shop](https://tea.example)");

        assert!(html.contains("<h1>Tea</h1>"), "{html}");
        assert!(html.contains("<em>and</em>"));
        assert!(html.contains(r#"href="https://tea.example""#));
        assert!(html.contains(r#"rel="noopener noreferrer nofollow""#));
    }

    #[test]
    fn images_become_links_and_html_becomes_text() {
        let html = to_html("![a cat](https://spy.example/pixel.png) <b>bold</b>");

        assert!(!html.contains("<img") && !html.contains("<b>"), "{html}");
        assert!(html.contains(">a cat</a>") && html.contains("&lt;b&gt;"));
    }

    #[test]
    fn a_wide_table_is_scrolled_and_not_the_page() {
        let html = to_html("| a |\n|---|\n| b |\n\n<div class=\"wide\" id=\"content\">c</div>");

        assert!(html.contains(r#"<div class="wide" tabindex="0"><table>"#) && html.contains("</table>\n</div>"), "{html}");
        assert_eq!(html.matches("<div").count(), 1, "markup that somebody wrote is text: {html}");
    }

    /// How deep elements are inside of each other.
    fn depth(html: &str) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        for tag in html.split('<').skip(1) {
            if tag.starts_with('/') {
                depth -= 1;
            } else if !tag.starts_with("br") && !tag.starts_with("hr") {
                depth += 1;
                deepest = deepest.max(depth);
            }
        }
        deepest
    }

    #[test]
    fn nothing_is_nested_so_deeply_that_rendering_takes_long() {
        let blank_lines = format!("{}\n{}", "- ".repeat(8_192), "\n".repeat(16_384));
        let texts = [
            ">".repeat(32_768),
            "- ".repeat(16_384),
            "1. ".repeat(10_922),
            "> - ".repeat(8_192),
            "*a _b ".repeat(2_730) + &"_ *".repeat(2_730),
            "[".repeat(16_384) + &"](/)".repeat(4_096),
            "~~a **b ".repeat(2_000) + &"** ~~".repeat(2_000),
            (0..250).map(|level| format!("{}- a\n", " ".repeat(level % 250))).collect(),
            blank_lines,
        ];
        let begin = std::time::Instant::now();

        for text in texts {
            let (html, beginning) = (to_html(&text), excerpt(&text, 280));
            let deepest = depth(&html);
            assert!(deepest <= 33, "{deepest} levels of {text:.20}");
            assert!(beginning.chars().count() <= 281);
        }

        // Generous: it took minutes.
        assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{:?}", begin.elapsed());
    }

    #[test]
    fn what_is_too_deep_is_shown_on_the_last_level() {
        let quotes = to_html(&format!("{} deep", ">".repeat(40)));
        assert_eq!((quotes.matches("<blockquote>").count(), depth(&quotes)), (32, 32), "{quotes}");
        assert!(quotes.contains("deep"));
        let ordinary = "---------------------------------------------\n\n> a\n>> b\n\n- c\n  - d\n    1. e";
        let html = to_html(ordinary);
        assert!(
            html.contains("<hr>") && html.matches("<blockquote>").count() == 2 && html.matches("<li>").count() == 3,
            "{html}"
        );
        assert!(!html.contains('\\'));
    }

    #[test]
    fn an_excerpt_is_plain_and_short() {
        assert_eq!(excerpt("# Tea\n\nGreen *and* **black**, `hot`", 100), "Tea Green and black, hot");
        assert_eq!(excerpt("äöü äöü äöü", 5), "äöü ä…");
    }
}
