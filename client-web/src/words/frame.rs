//! The words around every page, and what is said about what was just done.

words! {
    /// Title, navigation, footer.
    FrameWords {
        skip: "Skip to the content", "Zum Inhalt springen";
        main_navigation: "Main", "Hauptmenü";
        account: "Account", "Konto";
        personas: "Personas", "Personas";
        search: "Search", "Suchen";
        search_label: "Search your memories", "Erinnerungen durchsuchen";
        memories: "Memories", "Erinnerungen";
        new_memory: "New memory", "Neue Erinnerung";
        connection: "Connection", "Verbindung";
        groups: "Groups", "Gruppen";
        profile: "Settings", "Einstellungen";
        sign_in: "Sign in", "Anmelden";
        register: "Register", "Registrieren";
        sign_out: "Sign out", "Abmelden";
        promise: "Picard keeps your memories in one place that you own.", "Picard bewahrt deine Erinnerungen an einem Ort auf, der dir gehört.";
        times: "All times are in {}.", "Alle Zeiten sind in {}.";
        read_only: "This application may only read your memories.", "Diese Anwendung darf deine Erinnerungen nur lesen.";
        allow_writing: "Allow writing", "Schreiben erlauben";
        failed: "That did not work. Please try again.", "Das hat nicht geklappt. Bitte versuche es noch einmal.";
        cancel: "Cancel", "Abbrechen";
        optional: "(optional)", "(freiwillig)";
    }
}

words! {
    /// What a page says about what was just done.
    NoticeWords {
        created: "Your memory is stored.", "Deine Erinnerung ist gespeichert.";
        saved: "Your changes are saved.", "Deine Änderungen sind gespeichert.";
        deleted: "The memory is deleted.", "Die Erinnerung ist gelöscht.";
        public: "This memory is public now.", "Diese Erinnerung ist jetzt öffentlich.";
        private: "This memory is private now.", "Diese Erinnerung ist jetzt privat.";
        connected: "You are connected. Your memories will appear here.", "Du bist verbunden. Hier erscheinen deine Erinnerungen.";
        disconnected: "You are disconnected. The Picard server has ended this application's access.", "Die Verbindung ist getrennt. Der Picard-Server hat den Zugriff dieser Anwendung beendet.";
        disconnecting: "You are disconnected here. The Picard server does not answer at the moment; it will be told to end this application's access as soon as it does.", "Die Verbindung ist hier getrennt. Der Picard-Server antwortet gerade nicht; sobald er es tut, erfährt er, dass er den Zugriff dieser Anwendung beenden soll.";
        signed_out: "You are signed out.", "Du bist abgemeldet.";
        restored: "The earlier version is back, as a new one.", "Die frühere Fassung ist wieder da, als neue.";
        undone: "The memory is back, as a new one.", "Die Erinnerung ist wieder da, als neue.";
        shared: "Who may see this memory is changed.", "Wer diese Erinnerung sehen darf, ist geändert.";
        password: "Your password is changed. Every other session has ended.", "Dein Passwort ist geändert. Alle anderen Sitzungen sind beendet.";
        account_deleted: "Your account is deleted.", "Dein Konto ist gelöscht.";
        settings: "Your settings are saved.", "Deine Einstellungen sind gespeichert.";
        published: "Others can find and ask this persona now.", "Andere können diese Persona jetzt finden und fragen.";
        hidden: "Nobody but you can ask this persona any more.", "Niemand außer dir kann diese Persona mehr fragen.";
        persona_deleted: "The persona is deleted. Your memories are untouched.", "Die Persona ist gelöscht. Deine Erinnerungen sind unberührt.";
        blocked: "Your personas do not answer this person any more.", "Deine Personas antworten dieser Person nicht mehr.";
        administration_closed: "The administrator's password is forgotten here.", "Das Passwort der Verwaltung ist hier vergessen.";
        unblocked: "Your personas answer this person again.", "Deine Personas antworten dieser Person wieder.";
    }
}
