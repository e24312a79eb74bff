//! The words of administering the Picard server.

words! {
    /// Figures, people and applications of the server.
    AdministrationWords {
        title: "Administer the Picard server", "Den Picard-Server verwalten";
        lead: "For administrators of the Picard server. Their accounts are there, not here. The password is kept sealed with this session for a quarter of an hour, then it is forgotten.", "Für alle, die den Picard-Server verwalten. Ihre Konten sind dort, nicht hier. Das Passwort bleibt versiegelt bei dieser Sitzung, eine Viertelstunde lang, dann ist es vergessen.";
        username: "Administrator's username", "Benutzername der Verwaltung";
        password: "Administrator's password", "Passwort der Verwaltung";
        open: "Continue", "Weiter";
        wrong: "The server knows no administrator with this name and password.", "Der Server kennt niemanden in der Verwaltung mit diesem Namen und Passwort.";
        signed_in: "You administer the server as {}.", "Du verwaltest den Server als {}.";
        close: "Forget the password", "Passwort vergessen";
        figures: "Figures", "Zahlen";
        users: "People", "Personen";
        active_users: "Active people", "Aktive Personen";
        superusers: "Administrators", "Verwaltung";
        clients: "Applications", "Anwendungen";
        self_registered: "Registered themselves", "Selbst registriert";
        grants: "Connections", "Verbindungen";
        memories: "Memories", "Erinnerungen";
        public_memories: "Public memories", "Öffentliche Erinnerungen";
        backlog: "Waiting to be found", "Warten auf das Finden";
        is_superuser: "Administrator", "Verwaltung";
        inactive: "Deactivated", "Deaktiviert";
        since: "since", "seit";
        deactivate: "Deactivate …", "Deaktivieren …";
        deactivate_ask: "This person can then not sign in any more, and every application loses its access to the account.", "Diese Person kann sich dann nicht mehr anmelden, und jede Anwendung verliert den Zugriff auf das Konto.";
        deactivate_now: "Deactivate", "Deaktivieren";
        activate: "Activate", "Aktivieren";
        promote: "Make administrator …", "In die Verwaltung …";
        promote_ask: "This person may then do everything on the server.", "Diese Person darf dann auf dem Server alles.";
        promote_now: "Make administrator", "In die Verwaltung aufnehmen";
        demote: "No administrator any more …", "Aus der Verwaltung nehmen …";
        demote_ask: "This person may then not administer the server any more.", "Diese Person darf den Server dann nicht mehr verwalten.";
        demote_now: "No administrator any more", "Aus der Verwaltung nehmen";
        end_tokens: "End all access …", "Alle Zugriffe beenden …";
        end_tokens_ask: "Every application of this person has to be connected anew.", "Jede Anwendung dieser Person muss neu verbunden werden.";
        end_tokens_now: "End all access", "Alle Zugriffe beenden";
        delete: "Delete …", "Löschen …";
        delete_person_ask: "The account goes for good, with all memories.", "Das Konto verschwindet endgültig, mit allen Erinnerungen.";
        delete_client_ask: "The application loses all access at once.", "Die Anwendung verliert sofort jeden Zugriff.";
        delete_now: "Delete for good", "Endgültig löschen";
        last: "This is the last active administrator.", "Das ist die letzte aktive Person in der Verwaltung.";
        confidential: "Keeps a secret", "Bewahrt ein Geheimnis";
        public: "Public", "Öffentlich";
        new_secret: "New secret …", "Neues Geheimnis …";
        new_secret_ask: "The old secret ends at once; the application does nothing until it has the new one.", "Das alte Geheimnis gilt sofort nicht mehr; die Anwendung tut nichts, bis sie das neue hat.";
        new_secret_now: "Make a new secret", "Neues Geheimnis machen";
        secret: "The new secret. It is shown this once:", "Das neue Geheimnis. Es wird nur dieses Mal gezeigt:";
        ours: "This is the application that you are using. Its secret cannot be replaced and it cannot be deleted from here, because everybody would be cut off: that is done with “picard-web register-client”.", "Das ist die Anwendung, die du gerade benutzt. Ihr Geheimnis lässt sich von hier aus nicht ersetzen und sie selbst nicht löschen, weil alle abgeschnitten wären: Das geht mit „picard-web register-client“.";
        register_client: "Register an application", "Eine Anwendung registrieren";
        edit_client: "Change the application", "Anwendung ändern";
        edit: "Change", "Ändern";
        client_name: "Name", "Name";
        client_name_rule: "", "Ein Name hat 1 bis 100 Zeichen.";
        redirect_uris: "Addresses to which people come back", "Adressen, zu denen man zurückkommt";
        redirect_uris_hint: "One a line: https, or http on the person's own machine.", "Eine in jeder Zeile: https, oder http auf dem eigenen Rechner.";
        redirect_uris_rule: "", "Jede Adresse muss mit https beginnen, oder mit http auf dem eigenen Rechner; es sind 1 bis 20.";
        scopes: "What it may ask for", "Was sie erfragen darf";
        scopes_rule: "", "Sie muss wenigstens eines davon erfragen dürfen.";
        confidential_hint: "It keeps a secret, as an application on a server can", "Sie bewahrt ein Geheimnis, wie es eine Anwendung auf einem Server kann";
        none: "Nobody.", "Niemand.";
    }
}
