//! How a page looks on a screen of some size, and pictures of it.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Browser;

/// Width and height in CSS pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    name: &'static str,
    width: u32,
    height: u32,
}

pub(crate) const DESK: Screen = Screen { name: "1280", width: 1280, height: 900 };
pub(crate) const PHONE: Screen = Screen { name: "390", width: 390, height: 844 };
/// A desk's screen enlarged four times (WCAG 2.2, success criterion 1.4.10).
const ENLARGED: Screen = Screen { name: "320", width: 320, height: 256 };
const TABLET: Screen = Screen { name: "768", width: 768, height: 1024 };
const WALL: Screen = Screen { name: "2560", width: 2560, height: 1440 };

/// Names what reaches beyond the screen.
const WIDE: &str = "return [...document.querySelectorAll('body *')]
    .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(one => one.tagName + ' ' + one.className + ' ' + one.id).join(', ')";

impl Browser {
    /// Shows pages as on this screen. A window cannot be made as narrow as a phone.
    pub(crate) async fn resize(&self, screen: Screen) {
        self.show(screen.width, screen.height).await;
    }

    /// Looks at the page on screens of all sizes: nothing may be wider than they are. On the two that most people have,
    /// axe-core looks too. Keeps pictures when SCREENSHOTS names a folder.
    pub(crate) async fn look(&self, name: &str) {
        for screen in [ENLARGED, PHONE, TABLET, WALL, DESK] {
            self.resize(screen).await;
            let size = self.devtools("Page.getLayoutMetrics", json!({})).await;
            let content = &size["cssContentSize"];
            let is_common = [PHONE.name, DESK.name].contains(&screen.name);
            if let Some(folder) = folder() {
                let themes: &[&str] = if is_common { &["dark", "light"] } else { &["light"] };
                for theme in themes {
                    self.colours(theme).await;
                    let picture = self.picture(content).await;
                    let file = folder.join(format!("{name}-{}-{theme}.png", screen.name));
                    std::fs::write(file, picture).expect("the picture is saved");
                }
            }
            let width = content["width"].as_f64().expect("a number");
            if width > f64::from(screen.width) {
                panic!("{name} is {width} pixels wide on {screen:?}: {}", self.run(WIDE, Vec::new()).await);
            }
            if let Some(axe) = self.axe.as_deref().filter(|_| is_common) {
                // As tall as the page: what is fixed to the screen's edge hides nothing for good.
                let tall = content["height"].as_f64().expect("a number").ceil() as u32;
                self.show(screen.width, tall.max(screen.height)).await;
                self.assert_open_to_all(axe, &format!("{name}, {}", screen.name)).await;
                self.resize(screen).await;
            }
        }
    }

    async fn show(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// The whole page, also what one has to scroll to.
    async fn picture(&self, content: &Value) -> Vec<u8> {
        let mut clip = content.clone();
        clip["scale"] = json!(1);
        let wanted = json!({ "format": "png", "clip": clip, "captureBeyondViewport": true });
        let picture = self.devtools("Page.captureScreenshot", wanted).await;
        let picture = picture["data"].as_str().expect("a picture");
        STANDARD.decode(picture).expect("base64")
    }
}

#[expect(clippy::disallowed_methods, reason = "a wish of the person who runs this test by hand")]
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("SCREENSHOTS")?);
    std::fs::create_dir_all(&folder).expect("the folder for pictures");
    Some(folder)
}
