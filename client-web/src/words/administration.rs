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
        deactivate: "Deactivate", "Deaktivieren";
        activate: "Activate", "Aktivieren";
        promote: "Make administrator …", "In die Verwaltung …";
        promote_ask: "This person may then do everything on the server.", "Diese Person darf dann auf dem Server alles.";
        promote_now: "Make administrator", "In die Verwaltung aufnehmen";
        demote: "No administrator any more", "Aus der Verwaltung nehmen";
        end_tokens: "End all access", "Alle Zugriffe beenden";
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
        none: "Nobody.", "Niemand.";
    }
}
