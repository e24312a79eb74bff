//! Memory text that wants to be more than text (WEB-01, WEB-02).

use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use http::StatusCode;
use sqlx::PgPool;
use std::cell::RefCell;

use crate::kit::House;

const CORPUS: [&str; 24] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](javascript:alert(1))",
    "![beacon](https://spy.example/pixel.png)",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](java&#x0A;script:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](vbscript:msgbox(1))",
    "<javascript:alert(1)>",
    "[relative](//evil.example) [own](/logout)",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text>x</text></a></svg>",
    "<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<form action=https://evil.example><input name=csrf><button>Go</button></form>",
    "<base href=https://evil.example><meta http-equiv=refresh content=\"0;url=https://evil.example\">",
    "<div style=\"position:fixed;inset:0\" class=problem id=content>overlay</div>",
    "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe><object data=x></object><embed src=x>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
    "`</textarea><script>alert(1)</script>` </textarea></main><script>alert(1)</script>",
    "[a](https://x.example \"\\\" onmouseover=alert(1) x=\\\"\")",
    "# heading {#content .problem onclick=alert(1)}\n\n<details open ontoggle=alert(1)>x</details>",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |\n\n~~<b onclick=alert(1)>x</b>~~",
];

const ELEMENTS: [&str; 26] = [
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

/// Collects the tags of a piece of HTML as a browser's parser sees them.
#[derive(Default)]
struct Tags(RefCell<Vec<Tag>>);

impl TokenSink for Tags {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            self.0.borrow_mut().push(tag);
        }
        TokenSinkResult::Continue
    }
}

fn tags(html: &str) -> Vec<Tag> {
    let tokenizer = Tokenizer::new(Tags::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(html.into());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.take()
}

fn assert_harmless(html: &str, source: &str) {
    for tag in tags(html) {
        assert!(ELEMENTS.contains(&&*tag.name), "<{}> from {source}: {html}", tag.name);
        for attribute in &tag.attrs {
            let value = &*attribute.value;
            match &*attribute.name.local {
                "href" => assert!(
                    ["https://", "http://", "mailto:"].iter().any(|scheme| value.starts_with(scheme)),
                    "{value} from {source}"
                ),
                "rel" => assert_eq!(value, "noopener noreferrer nofollow"),
                "class" => assert!(&*tag.name == "div" && value == "wide", "{value} from {source}"),
                "tabindex" => assert!(&*tag.name == "div" && value == "0", "{value} from {source}"),
                "start" => assert!(value.parse::<u32>().is_ok()),
                other => panic!("attribute {other} from {source}: {html}"),
            }
        }
    }
}

/// The part of a memory's page that shows its text.
fn text_card(page: &str) -> &str {
    let (_, rest) = page.split_once(r#"<div class="card memory-text">"#).expect("the text");
    let (text, _) = rest.split_once(r#"<ul class="facts">"#).expect("its end");
    text.trim_end().strip_suffix("</div>").expect("the end of the card")
}

fn is_our_script(tag: &Tag) -> bool {
    let is_ours = |value: &str| value.starts_with("/static/") && value.ends_with("/app.js");
    &*tag.name == "script" && tag.attrs.iter().any(|attribute| &*attribute.name.local == "src" && is_ours(&attribute.value))
}

fn is_unsafe(tag: &Tag) -> bool {
    if is_our_script(tag) {
        return false;
    }
    let names = ["script", "img", "iframe", "object", "embed", "base", "style", "math", "animate", "i"];
    names.contains(&&*tag.name) || tag.attrs.iter().any(|attribute| attribute.name.local.starts_with("on"))
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn no_text_becomes_an_unsafe_node_web_01(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;

    for source in CORPUS {
        let fields = [("text", source), ("tags", "<i>tag</i>"), ("category", "\"><script>"), ("permission", "public")];
        let created = browser.post("/memories/new", &fields).await;
        assert_eq!(created.status, StatusCode::SEE_OTHER, "{source}");
        let path = created.location().split('?').next().expect("a path").to_owned();

        let page = browser.get(&path).await;
        assert_harmless(text_card(&page.body), source);
        let list = browser.get("/memories").await;
        let edit = browser.get(&format!("{path}/edit")).await;
        let search = browser.get("/search?q=%3C").await;
        for page in [page, list, edit, search] {
            let unsafe_tags = tags(&page.body).into_iter().filter(is_unsafe);
            assert_eq!(unsafe_tags.count(), 0, "{source}: {}", page.body);
        }
    }
}
