//! The words of the start page, of registering, signing in and the settings.

words! {
    /// Accounts of this application.
    AccountWords {
        home_title: "Your memories, in one place", "Deine Erinnerungen an einem Ort";
        home_heading: "Your memories, in one place that you own", "Deine Erinnerungen an einem Ort, der dir gehört";
        home_lead: "Picard remembers what you tell it: preferences, plans, things you learned. The applications you choose can use it, with your consent, and you can look at it, change it and take it back at any time.", "Picard merkt sich, was du ihm sagst: Vorlieben, Pläne, was du gelernt hast. Anwendungen deiner Wahl können es mit deiner Zustimmung nutzen, und du kannst es jederzeit ansehen, ändern und zurücknehmen.";
        home_what: "What you can do", "Was du tun kannst";
        write_heading: "Write it down", "Schreib es auf";
        write: "A sentence or a page, with tags, a category and, if you like, a date on which it disappears.", "Einen Satz oder eine Seite, mit Schlagwörtern, einer Kategorie und, wenn du magst, einem Tag, an dem es verschwindet.";
        find_heading: "Find it by meaning", "Finde es über den Sinn";
        find: "Ask in your own words. You need not remember which words you used.", "Frag mit deinen eigenen Worten. Du musst nicht mehr wissen, welche du benutzt hast.";
        decide_heading: "Decide who sees it", "Entscheide, wer es sieht";
        decide: "Every memory is private until you say otherwise. You can change your mind at any time.", "Jede Erinnerung ist privat, bis du etwas anderes sagst. Du kannst es dir jederzeit anders überlegen.";
        create: "Create an account", "Konto anlegen";
        create_button: "Create account", "Konto anlegen";
        sign_in: "Sign in", "Anmelden";
        username: "Username", "Benutzername";
        password: "Password", "Passwort";
        email: "E-mail address", "E-Mail-Adresse";
        new_here: "New here?", "Neu hier?";
        known_here: "You have an account?", "Du hast ein Konto?";
        username_hint: "1 to 64 letters, digits or the characters . _ - @", "1 bis 64 Buchstaben, Ziffern oder die Zeichen . _ - @";
        email_hint: "The Picard server gets it when you connect. It is not used for anything else.", "Der Picard-Server bekommt sie, wenn du dich verbindest. Für anderes wird sie nicht verwendet.";
        password_hint: "At least 8 characters. A few unrelated words are easy to remember and hard to guess.", "Mindestens 8 Zeichen. Ein paar Wörter ohne Zusammenhang sind leicht zu merken und schwer zu erraten.";
        wrong: "The username or the password is wrong.", "Der Benutzername oder das Passwort ist falsch.";
        taken: "This username or e-mail address is taken. Please choose another one.", "Dieser Benutzername oder diese E-Mail-Adresse ist vergeben. Bitte nimm etwas anderes.";
        username_form: "A username has 1 to 64 letters, digits or the characters . _ - @", "Ein Benutzername hat 1 bis 64 Buchstaben, Ziffern oder die Zeichen . _ - @";
        username_lookalike: "This username has characters that can be mistaken for others.", "Dieser Benutzername hat Zeichen, die sich mit anderen verwechseln lassen.";
        username_alphabets: "A username cannot mix letters of different alphabets.", "Ein Benutzername kann nicht Buchstaben verschiedener Alphabete mischen.";
        username_reserved: "This username is reserved. Please choose another one.", "Dieser Benutzername ist vorbehalten. Bitte nimm einen anderen.";
        email_form: "This does not look like an e-mail address, such as ada@example.org.", "Das sieht nicht nach einer E-Mail-Adresse aus, wie ada@example.org eine ist.";
        password_length: "A password has 8 to 1,024 characters.", "Ein Passwort hat 8 bis 1.024 Zeichen.";
        password_nul: "A password cannot contain the character U+0000.", "Ein Passwort kann das Zeichen U+0000 nicht enthalten.";
        password_common: "This password is among the first that are guessed. Please choose another one.", "Dieses Passwort wird mit als Erstes geraten. Bitte nimm ein anderes.";
        password_is_known: "The password cannot be the username or the e-mail address.", "Das Passwort kann nicht der Benutzername oder die E-Mail-Adresse sein.";
        settings: "Settings", "Einstellungen";
        settings_lead: "How this application looks and speaks to you. It is kept with your account.", "Wie diese Anwendung aussieht und mit dir spricht. Es gehört zu deinem Konto.";
        language: "Language", "Sprache";
        by_browser: "As the browser says", "Wie der Browser sagt";
        theme: "Appearance", "Erscheinungsbild";
        by_system: "As the system says", "Wie das System sagt";
        light: "Light", "Hell";
        dark: "Dark", "Dunkel";
        zone: "Time zone", "Zeitzone";
        zone_hint: "Such as Europe/Berlin. Left empty, it is the browser's, or UTC.", "Zum Beispiel Europe/Berlin. Leer gelassen, gilt die des Browsers oder UTC.";
        zone_unknown: "This time zone is not known. Write it as Europe/Berlin, or leave it empty.", "Diese Zeitzone ist nicht bekannt. Schreib sie wie Europe/Berlin oder lass das Feld leer.";
        public_heading: "What others see", "Was andere sehen";
        display_name: "Name", "Name";
        display_name_rule: "", "Der Name ist zu lang oder hat mehrere Zeilen.";
        bio: "About you", "Über dich";
        bio_rule: "", "Der Text über dich ist zu lang.";
        listed: "Others may find me by my name, to share memories with me or put me into a group", "Andere dürfen mich über meinen Namen finden, um Erinnerungen mit mir zu teilen oder mich in eine Gruppe zu nehmen";
        password_heading: "Password", "Passwort";
        current_password: "Present password", "Bisheriges Passwort";
        new_password: "New password", "Neues Passwort";
        change_password: "Change the password", "Passwort ändern";
        password_wrong: "This is not your present password.", "Das ist nicht dein bisheriges Passwort.";
        delete_heading: "Delete the account", "Konto löschen";
        delete: "Delete the account …", "Konto löschen …";
        delete_ask: "Your account in this application goes for good.", "Dein Konto in dieser Anwendung verschwindet endgültig.";
        delete_everywhere: "Also delete my account at the Picard server, with all my memories", "Auch mein Konto beim Picard-Server löschen, mit allen meinen Erinnerungen";
        server_password: "Password of the account at the Picard server", "Passwort des Kontos beim Picard-Server";
        server_password_hint: "Only needed to delete that account as well.", "Nur nötig, um auch dieses Konto zu löschen.";
        server_password_rule: "The Picard server does not accept this password.", "Der Picard-Server nimmt dieses Passwort nicht an.";
        delete_elsewhere: "Your account at the Picard server stays. To delete it from here as well, allow writing first.", "Dein Konto beim Picard-Server bleibt. Um es von hier aus mitzulöschen, erlaube zuerst das Schreiben.";
        delete_now: "Delete for good", "Endgültig löschen";
        save: "Save", "Speichern";
    }
}
