//! Memory text on a page: Markdown, rendered and then sanitised. The text is hostile until both are done
//! (WEB-01, WEB-02): it may come from anybody who made a memory public.

use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// Renders Markdown to HTML that is safe to put into a page. HTML in it is shown as text; images become links,
/// so that reading a memory tells nobody.
pub(crate) fn to_html(text: &str) -> String {
    let mut unsafe_html = String::with_capacity(text.len() * 2);
    html::push_html(&mut unsafe_html, events(text));
    sanitizer().clean(&unsafe_html).to_string()
}

/// The beginning of a text without its markup, for lists.
pub(crate) fn excerpt(text: &str, characters: usize) -> String {
    let mut plain = String::new();
    for event in events(text) {
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
    let events = Parser::new_ext(text, options).flat_map(|event| match event {
        // A table that is wider than the page is scrolled, by keyboard too.
        Event::Start(Tag::Table(columns)) => {
            [Some(Event::Html(r#"<div class="wide" tabindex="0">"#.into())), Some(Event::Start(Tag::Table(columns)))]
        }
        Event::End(TagEnd::Table) => [Some(Event::End(TagEnd::Table)), Some(Event::Html("</div>".into()))],
        event => [Some(harmless(event)), None],
    });
    events.flatten()
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

    #[test]
    fn an_excerpt_is_plain_and_short() {
        assert_eq!(excerpt("# Tea\n\nGreen *and* **black**, `hot`", 100), "Tea Green and black, hot");
        assert_eq!(excerpt("äöü äöü äöü", 5), "äöü ä…");
    }
}
