//! The words of activity and analytics.

words! {
    /// What happened, and figures.
    FigureWords {
        activity: "Activity", "Aktivität";
        activity_lead: "What you did, and who read your memories, the latest first.", "Was du getan hast und wer deine Erinnerungen gelesen hat, das Letzte zuerst.";
        everything: "Everything", "Alles";
        only_reads: "Who read my memories", "Wer meine Erinnerungen gelesen hat";
        nothing_heading: "Nothing yet", "Noch nichts";
        nothing: "What you and others do will be listed here.", "Was du und andere tun, steht dann hier.";
        by: "by {}", "von {}";
        more: "and {} more", "und {} weitere";
        through: "through {}", "über {}";
        through_own: "through this web application", "über diese Webanwendung";
        through_unknown: "through another application ({})", "über eine andere Anwendung ({})";
        door_rest: "REST", "REST";
        door_mcp: "MCP", "MCP";
        door_command_line: "command line", "Kommandozeile";
        read_one: "opened one by one", "einzeln geöffnet";
        read_list: "in a list", "in einer Liste";
        read_search: "found by a search", "bei einer Suche gefunden";
        read_persona: "for the answer of a persona", "für die Antwort einer Persona";
        memory: "Memory", "Erinnerung";
        read: "Memories were read", "Erinnerungen wurden gelesen";
        submitted: "Memories were written", "Erinnerungen wurden geschrieben";
        updated: "A memory was changed", "Eine Erinnerung wurde geändert";
        permissions: "Who may see a memory was changed", "Es wurde geändert, wer eine Erinnerung sehen darf";
        restored: "An earlier version was brought back", "Eine frühere Fassung wurde zurückgeholt";
        deleted: "A memory was deleted", "Eine Erinnerung wurde gelöscht";
        imported: "Memories were imported", "Erinnerungen wurden importiert";
        exported: "Memories were exported", "Erinnerungen wurden exportiert";
        signed_in: "Signed in at the Picard server", "Anmeldung beim Picard-Server";
        signed_up: "The account was made", "Das Konto wurde angelegt";
        sign_in_failed: "A sign-in at the Picard server failed", "Eine Anmeldung beim Picard-Server schlug fehl";
        granted: "An application was connected", "Eine Anwendung wurde verbunden";
        ended: "A connection was ended", "Eine Verbindung wurde beendet";
        tokens_issued: "An application got access", "Eine Anwendung bekam Zugriff";
        token_refused: "An application was refused access", "Einer Anwendung wurde der Zugriff verweigert";
        tokens_revoked: "Access was ended by the administration", "Die Verwaltung hat Zugriffe beendet";
        reused: "Access was used a second time and therefore ended", "Ein Zugriff wurde ein zweites Mal verwendet und deshalb beendet";
        account_changed: "The administration changed the account", "Die Verwaltung hat das Konto geändert";
        account_deleted: "An account was deleted", "Ein Konto wurde gelöscht";
        profile: "The profile was changed", "Das Profil wurde geändert";
        password: "The password was changed", "Das Passwort wurde geändert";
        client_registered: "An application was registered", "Eine Anwendung wurde registriert";
        client_updated: "An application was changed", "Eine Anwendung wurde geändert";
        client_secret: "An application got a new secret", "Eine Anwendung bekam ein neues Geheimnis";
        client_deleted: "An application was deleted", "Eine Anwendung wurde gelöscht";
        analytics: "Figures", "Zahlen";
        analytics_lead: "Your memories in figures. Only you see this.", "Deine Erinnerungen in Zahlen. Das siehst nur du.";
        total: "Memories", "Erinnerungen";
        expired: "of them expired", "davon abgelaufen";
        months: "Written in each month", "Geschrieben je Monat";
        month: "Month", "Monat";
        tags: "Most used tags", "Meistgenutzte Schlagwörter";
        categories: "Most used categories", "Meistgenutzte Kategorien";
        count: "Number", "Anzahl";
        who: "Who sees them", "Wer sie sieht";
        empty: "There is nothing to count yet.", "Es gibt noch nichts zu zählen.";
    }
}
