//! Every word of the server's own pages, English and German side by side, and which of the two a visitor reads.
//!
//! `{}` stands for what `fill` puts there. Texts that end in `_rule` are empty in English: the rules say it themselves.

use axum::http::{HeaderMap, header};

/// Declares the texts: a name, the English, the German.
macro_rules! texts {
    ($($name:ident = $english:literal | $german:literal;)*) => {
        /// All texts in one language.
        #[derive(Debug)]
        pub(crate) struct Words {
            $(pub(crate) $name: &'static str,)*
        }

        static ENGLISH: Words = Words { $($name: $english,)* };
        static GERMAN: Words = Words { $($name: $german,)* };

        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $german),)*];
    };
}

texts! {
    code = "en" | "de";
    skip = "Skip to the content" | "Zum Inhalt springen";
    sign_out = "Sign out" | "Abmelden";
    footer = "This server keeps memories. Applications reach yours only with your consent. All times are UTC." | "Dieser Server bewahrt Erinnerungen. Anwendungen erreichen deine nur mit deiner Zustimmung. Alle Zeiten sind UTC.";

    wants = "wants to use your memories. You will be asked before it gets anything." | "möchte deine Erinnerungen verwenden. Du wirst gefragt, bevor etwas herausgegeben wird.";
    sign_in = "Sign in" | "Anmelden";
    name_or_email = "Username or e-mail address" | "Benutzername oder E-Mail-Adresse";
    password = "Password" | "Passwort";
    new_here = "New here?" | "Neu hier?";
    wrong_password = "The username or the password is wrong." | "Benutzername oder Passwort stimmt nicht.";
    signed_out = "You are signed out." | "Du bist abgemeldet.";

    create_account = "Create an account" | "Konto anlegen";
    create = "Create account" | "Konto anlegen";
    have_a_look = "Please have a look" | "Bitte sieh noch einmal hin";
    username = "Username" | "Benutzername";
    username_hint = "1 to 64 letters, digits or the characters . _ - @" | "1 bis 64 Buchstaben, Ziffern oder die Zeichen . _ - @";
    username_rule = "" | "Ein Benutzername hat 1 bis 64 Buchstaben, Ziffern oder die Zeichen . _ - @, mischt keine Alphabete und gibt sich nicht als dieser Dienst aus.";
    email = "E-mail address" | "E-Mail-Adresse";
    optional = "(optional)" | "(freiwillig)";
    email_hint = "You can sign in with it. It is not used for anything else." | "Damit kannst du dich anmelden. Zu etwas anderem dient sie nicht.";
    email_rule = "" | "Das ist keine E-Mail-Adresse.";
    password_hint = "At least 8 characters. A few unrelated words are easy to remember and hard to guess." | "Mindestens 8 Zeichen. Ein paar Wörter ohne Zusammenhang sind leicht zu merken und schwer zu erraten.";
    password_rule = "" | "Ein Passwort hat 8 bis 1024 Zeichen, ist nicht der Benutzername und keines von denen, die alle zuerst probieren.";
    taken = "The username or the e-mail address belongs to another account." | "Der Benutzername oder die E-Mail-Adresse gehört zu einem anderen Konto.";
    have_account = "You have an account?" | "Du hast ein Konto?";
    closed_heading = "People cannot make accounts here themselves" | "Hier kann man sich nicht selbst ein Konto anlegen";
    closed = "Ask whoever runs this server for an account." | "Frag die Betreiber dieses Servers nach einem Konto.";

    let_in_title = "Let an application in" | "Eine Anwendung hereinlassen";
    let_in_before = "Let" | "Darf";
    let_in_after = "in?" | "an deine Erinnerungen?";
    signed_in_as = "You are signed in as" | "Du bist angemeldet als";
    asks_for = "The application asks for this:" | "Die Anwendung bittet um Folgendes:";
    read = "Read your memories" | "Deine Erinnerungen lesen";
    read_means = "to show and search all of them, private ones too" | "um sie alle zu zeigen und zu durchsuchen, auch die privaten";
    write = "Write your memories" | "Deine Erinnerungen schreiben";
    write_means = "to add, change and delete them, and to change who may see them" | "um welche hinzuzufügen, zu ändern und zu löschen, und zu ändern, wer sie sehen darf";
    administer = "Administer this server" | "Diesen Server verwalten";
    administer_means = "to manage accounts and applications; it opens nobody's texts" | "um Konten und Anwendungen zu verwalten; niemandes Texte werden dadurch lesbar";
    who_asks = "Who asks" | "Wer fragt";
    application = "Application" | "Anwendung";
    trusted = "registered by this server's administrator" | "von der Verwaltung dieses Servers eingetragen";
    vouched_for = "vouched for by" | "es bürgt";
    unverified = "unverified: it has given itself this name" | "ungeprüft: Diesen Namen hat sie sich selbst gegeben";
    answer_goes_to = "Your answer goes to" | "Deine Antwort geht an";
    loopback_heading = "A program on your own computer asks" | "Es fragt ein Programm auf deinem eigenen Rechner";
    loopback_before = "The answer goes to" | "Die Antwort geht an";
    loopback_after = "which is this computer. Any program that runs on it could receive it. Go on only if you started this from a program that you trust, just now." | "das ist dieser Rechner. Jedes Programm, das auf ihm läuft, könnte sie bekommen. Mach nur weiter, wenn du das gerade eben selbst aus einem Programm heraus begonnen hast, dem du vertraust.";
    allow = "Allow" | "Erlauben";
    deny = "Deny" | "Ablehnen";
    ends_under = "You can end this at any time under" | "Beenden kannst du das jederzeit unter";

    connections = "Connections" | "Verbindungen";
    your_connections = "Your connections" | "Deine Verbindungen";
    none_heading = "No application is connected" | "Keine Anwendung ist verbunden";
    none = "When you let an application in, it is listed here, and you can end its access at once." | "Wenn du eine Anwendung hereinlässt, steht sie hier, und du kannst ihren Zugriff sofort beenden.";
    lead = "These applications can use your memories. Ending a connection ends all of its access at once." | "Diese Anwendungen können deine Erinnerungen verwenden. Wer eine Verbindung beendet, beendet ihren ganzen Zugriff sofort.";
    may = "May" | "Darf";
    may_read = "read your memories" | "deine Erinnerungen lesen";
    may_write = "write your memories" | "deine Erinnerungen schreiben";
    may_administer = "administer this server" | "diesen Server verwalten";
    since = "Since" | "Seit";
    last_used = "Last used" | "Zuletzt verwendet";
    described_at = "Described at" | "Beschrieben unter";
    end = "End connection" | "Verbindung beenden";
    end_named = "End the connection to {}" | "Die Verbindung zu {} beenden";
    ended = "The connection has ended: none of the application's tokens works any more." | "Die Verbindung ist beendet: Keiner der Schlüssel der Anwendung gilt mehr.";

    asks_wrong_heading = "The application asks in the wrong way" | "Die Anwendung fragt auf die falsche Weise";
    asks_wrong = "Nothing was sent anywhere. Tell whoever makes the application: {}" | "Nichts wurde irgendwohin geschickt. Sag denen, die die Anwendung machen (auf Englisch): {}";
    no_answer_heading = "No answer" | "Keine Antwort";
    no_answer = "Go back and choose one of the two buttons." | "Geh zurück und wähle einen der beiden Knöpfe.";
    no_form_heading = "Not a form" | "Kein Formular";
    no_form = "Send the form as the page sends it." | "Schick das Formular so, wie die Seite es schickt.";
    large_heading = "Too large" | "Zu groß";
    large = "The form is larger than any page of ours can be." | "Das Formular ist größer, als eine Seite von hier sein kann.";
    unreadable_heading = "The form cannot be read" | "Das Formular ist nicht zu lesen";
    unreadable_rule = "" | "Schick das Formular so, wie die Seite es schickt.";
    foreign_heading = "This form cannot be used any more" | "Dieses Formular gilt nicht mehr";
    foreign = "It was open for too long, or you signed in or out meanwhile, or it comes from another page. Go back, load the page again, and send it once more." | "Es war zu lange offen, oder du hast dich inzwischen an- oder abgemeldet, oder es kommt von einer anderen Seite. Geh zurück, lade die Seite neu und schick es noch einmal.";
    slower_heading = "A little slower, please" | "Bitte etwas langsamer";
    slower_rule = "" | "Warte {} Sekunden und versuche es dann noch einmal.";
    away_heading = "Not available at the moment" | "Gerade nicht verfügbar";
    away_rule = "" | "Nichts ging verloren. Versuche es in ein paar Sekunden noch einmal.";
    over_heading = "This page is no longer open" | "Diese Seite ist nicht mehr offen";
    over = "It was answered already, or it has been open for too long, or somebody else is signed in now. Go back to the application and start again." | "Sie ist schon beantwortet, oder sie war zu lange offen, oder jemand anderes ist jetzt angemeldet. Geh zurück zur Anwendung und beginne noch einmal.";
    nothing_heading = "There is nothing here" | "Hier ist nichts";
    nothing_rule = "" | "Was hier war, gibt es nicht mehr, oder es gehört jemand anderem.";
    broken_heading = "Something went wrong" | "Etwas ist schiefgegangen";
    broken_rule = "" | "Das liegt an uns. Versuche es gleich noch einmal.";
}

/// A language of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    German,
}

/// The codes (BCP 47) that the metadata document names.
pub(crate) const LANGUAGES: [&str; 2] = ["en", "de"];

impl Language {
    /// The language of a visitor: the first that the application asked for (`ui_locales`, OpenID Connect Core 3.1.2.1)
    /// and that is spoken here, else the one that the browser likes best (RFC 9110 section 12.5.4).
    pub(crate) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let wished = query.and_then(wished);
        wished.unwrap_or_else(|| {
            let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
            Self::accepted(accepted.unwrap_or_default())
        })
    }

    /// All texts in this language.
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }

    fn from_tag(tag: &str) -> Option<Self> {
        match tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "de" => Some(Self::German),
            _ => None,
        }
    }

    fn accepted(header: &str) -> Self {
        let ranges = header.split(',').filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok())?;
            Self::from_tag(tag).filter(|_| weight > 0.0).map(|language| (language, weight))
        });
        // Of equals the first one counts.
        ranges.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(language, _)| language).unwrap_or_default()
    }
}

/// What `ui_locales` says, of the query itself or of the request to the authorization endpoint that comes after it.
pub(crate) fn wished(query: &str) -> Option<Language> {
    let find = |query: &str, wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let locales = find(query, "ui_locales").or_else(|| {
        let next = find(query, "next")?;
        find(next.split_once('?')?.1, "ui_locales")
    })?;
    locales.split_whitespace().find_map(Language::from_tag)
}

/// Puts a value where the text has `{}`.
pub(crate) fn fill(text: &str, value: impl std::fmt::Display) -> String {
    text.replacen("{}", &value.to_string(), 1)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{ALL, LANGUAGES, Language};

    #[test]
    fn every_text_is_there_in_both_languages() {
        for (name, english, german) in ALL {
            assert!(!german.is_empty() && english.is_empty() == name.ends_with("_rule"), "{name}");
            assert!(english.is_empty() || english.matches("{}").count() == german.matches("{}").count(), "{name}");
        }
        assert_eq!([Language::English, Language::German].map(|language| language.words().code), LANGUAGES);
    }

    #[test]
    fn the_application_names_the_language_or_the_browser_does() {
        let mut headers = HeaderMap::new();
        assert_eq!(Language::of(&headers, None), Language::English);
        for (accepted, language) in [
            ("de-AT,de;q=0.9,en;q=0.8", Language::German),
            ("fr, de;q=0.5", Language::German),
            ("en;q=0.5, de;q=0.5", Language::English),
            ("de;q=0, fr", Language::English),
            ("de;q=x", Language::English),
        ] {
            headers.insert("accept-language", accepted.parse().expect("a value"));
            assert_eq!(Language::of(&headers, None), language, "{accepted}");
        }
        headers.insert("accept-language", "de".parse().expect("a value"));
        for (query, language) in [
            ("ui_locales=fr+en-GB+de", Language::English),
            ("next=%2Fauthorize%3Fclient_id%3D1%26ui_locales%3Den", Language::English),
            ("next=%2Fauthorize%3Fclient_id%3D1", Language::German),
            ("ui_locales=fr", Language::German),
            ("ui_locales=%FF&next=%FF", Language::German),
        ] {
            assert_eq!(Language::of(&headers, Some(query)), language, "{query}");
        }
    }
}
