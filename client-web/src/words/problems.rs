//! What went wrong and what to do about it.

words! {
    /// Headings and messages of failures.
    ProblemWords {
        form_heading: "This form is no longer valid", "Dieses Formular gilt nicht mehr";
        form: "You may have signed out in another tab, or the page was open for very long. Nothing was changed. Open the page again and repeat what you did.", "Vielleicht hast du dich in einem anderen Tab abgemeldet, oder die Seite war sehr lange offen. Nichts wurde geändert. Öffne die Seite neu und wiederhole, was du getan hast.";
        nowhere_heading: "This page does not exist", "Diese Seite gibt es nicht";
        nowhere: "The address may be mistyped, or what was here has been deleted.", "Vielleicht ist die Adresse vertippt, oder was hier war, wurde gelöscht.";
        method_heading: "That is not possible here", "Das geht hier nicht";
        method: "This address does not take that kind of request.", "Diese Adresse nimmt solche Anfragen nicht an.";
        too_large_heading: "That is too much at once", "Das ist zu viel auf einmal";
        too_large: "A memory can have 32,768 characters. Please shorten the text.", "Eine Erinnerung kann 32.768 Zeichen haben. Bitte kürze den Text.";
        request_heading: "That did not work", "Das hat nicht geklappt";
        request: "The request could not be understood.", "Die Anfrage war nicht zu verstehen.";
        internal_heading: "Something went wrong on our side", "Bei uns ist etwas schiefgegangen";
        internal: "Nothing was lost. Please try again in a moment.", "Nichts ging verloren. Bitte versuche es gleich noch einmal.";
        database_heading: "Back in a moment", "Gleich wieder da";
        database: "The application cannot reach its database at the moment. Please try again shortly.", "Die Anwendung erreicht ihre Datenbank gerade nicht. Bitte versuche es in Kürze noch einmal.";
        busy_heading: "One moment, please", "Einen Augenblick, bitte";
        busy: "Many people are signing in at the moment. Please try again in a few seconds.", "Gerade melden sich viele an. Bitte versuche es in ein paar Sekunden noch einmal.";
        away_heading: "The Picard server cannot be reached", "Der Picard-Server ist nicht erreichbar";
        away: "Your memories are safe there, but it does not answer at the moment. Please try again shortly.", "Deine Erinnerungen sind dort sicher, aber er antwortet gerade nicht. Bitte versuche es in Kürze noch einmal.";
        trouble_heading: "The Picard server is in trouble", "Der Picard-Server hat Schwierigkeiten";
        trouble: "It gave an answer that makes no sense here. Please try again; if it stays like this, tell the operator.", "Seine Antwort ergibt hier keinen Sinn. Bitte versuche es noch einmal; wenn es so bleibt, sag dem Betreiber Bescheid.";
        slower_heading: "A little slower, please", "Bitte etwas langsamer";
        slower: "The Picard server asks for a short break, because many requests came at once.", "Der Picard-Server bittet um eine kurze Pause, weil viele Anfragen auf einmal kamen.";
        sign_ins: "This account had too many failed sign-ins from your address. Please wait {} seconds and try again.", "Von deiner Adresse kamen zu viele Fehlversuche für dieses Konto. Bitte warte {} Sekunden und versuche es dann noch einmal.";
        names: "Too many names were tried from your address. Please wait {} seconds.", "Von deiner Adresse wurden zu viele Namen probiert. Bitte warte {} Sekunden.";
        connections: "You tried to connect many times at once. Please wait {} seconds and try again.", "Du hast in kurzer Zeit oft versucht, dich zu verbinden. Bitte warte {} Sekunden und versuche es dann noch einmal.";
        operator_heading: "The operator has to do something first", "Erst muss der Betreiber etwas tun";
        operator: "This application is not registered at the Picard server, or its credentials have changed. The operator has to run “picard-web register-client --env-file .env” as an administrator of the server, and start the application again.", "Diese Anwendung ist beim Picard-Server nicht registriert, oder ihre Zugangsdaten haben sich geändert. Der Betreiber muss als Administrator des Servers „picard-web register-client --env-file .env“ ausführen und die Anwendung neu starten.";
        linked_heading: "This account belongs to somebody already", "Dieses Konto gehört schon jemandem";
        linked: "Your username or e-mail address is in use by another account of the Picard server. To protect that account, it cannot be used by its name. If it is yours, sign in at the Picard server instead. If not, register here under another username and another e-mail address (or none), and connect that account.", "Dein Benutzername oder deine E-Mail-Adresse gehört zu einem anderen Konto des Picard-Servers. Zu dessen Schutz lässt es sich nicht über seinen Namen verwenden. Ist es deins, dann melde dich stattdessen beim Picard-Server an. Wenn nicht, registriere dich hier unter einem anderen Namen und mit einer anderen E-Mail-Adresse (oder ohne) und verbinde dieses Konto.";
        elsewhere_heading: "You are connected with another account", "Du bist mit einem anderen Konto verbunden";
        elsewhere: "This would be another account of the Picard server than the one whose memories you see here. Nothing was changed. To change accounts, disconnect first, then connect again.", "Das wäre ein anderes Konto beim Picard-Server als das, dessen Erinnerungen du hier siehst. Nichts wurde geändert. Um das Konto zu wechseln, trenne zuerst die Verbindung und verbinde dich dann neu.";
        denied_heading: "The Picard server refuses this account", "Der Picard-Server lehnt dieses Konto ab";
        denied: "The account there is deactivated or belongs to an administrator. An administrator of the server can say more.", "Das Konto dort ist deaktiviert oder gehört zur Verwaltung. Wer den Server verwaltet, weiß mehr.";
        ended_heading: "The connection has ended", "Die Verbindung ist beendet";
        account_gone: "The account at the Picard server is not there any more. You can connect again to start a new one.", "Das Konto beim Picard-Server gibt es nicht mehr. Du kannst dich neu verbinden und ein neues beginnen.";
        access_ended: "The Picard server does not accept this application's access any more. Connect again to go on.", "Der Picard-Server nimmt den Zugriff dieser Anwendung nicht mehr an. Verbinde dich neu, um weiterzumachen.";
        unconnected_heading: "You are not connected", "Du bist nicht verbunden";
        unconnected: "Connect this application to the Picard server first; your memories live there.", "Verbinde diese Anwendung zuerst mit dem Picard-Server; dort liegen deine Erinnerungen.";
        again_heading: "The connection has to be made again", "Die Verbindung muss neu hergestellt werden";
        again: "The stored access to the Picard server cannot be used any more. Connect again; your memories are untouched.", "Der gespeicherte Zugriff auf den Picard-Server ist nicht mehr brauchbar. Verbinde dich neu; deine Erinnerungen sind unberührt.";
        strange_heading: "This answer belongs to no connection that you have begun here", "Diese Antwort gehört zu keiner Verbindung, die du hier begonnen hast";
        strange: "It may be too old, it may have been used already, or it was meant for another browser. Nothing was changed. Begin again.", "Vielleicht ist sie zu alt, schon verwendet oder für einen anderen Browser gedacht. Nichts wurde geändert. Beginne noch einmal.";
        disallowed_heading: "You did not allow it", "Du hast es nicht erlaubt";
        disallowed: "At the Picard server you said no, so nothing was connected. You can begin again whenever you like.", "Beim Picard-Server hast du abgelehnt, also wurde nichts verbunden. Du kannst jederzeit neu beginnen.";
        unauthorized_heading: "The Picard server did not connect you", "Der Picard-Server hat dich nicht verbunden";
        unauthorized: "It could not complete what you began there. Nothing was changed. Begin again.", "Er konnte nicht abschließen, was du dort begonnen hast. Nichts wurde geändert. Beginne noch einmal.";
        check_heading: "Please check what you entered", "Bitte prüfe deine Eingaben";
        check: "Something is not right yet.", "Etwas stimmt noch nicht.";
        absent_heading: "This memory is not here", "Diese Erinnerung ist nicht hier";
        absent: "It may have been deleted, or it is private to somebody else.", "Vielleicht wurde sie gelöscht, oder sie gehört jemand anderem und ist privat.";
        silent_heading: "Nobody answers here", "Hier antwortet niemand";
        silent: "This persona does not exist, is not public, or has nothing to say to you.", "Diese Persona gibt es nicht, sie ist nicht öffentlich, oder sie hat dir nichts zu sagen.";
        forbidden_heading: "You may not do this", "Das darfst du nicht";
        forbidden: "Only the owner can change this.", "Nur wem es gehört, kann es ändern.";
        scope_heading: "This application may not do this", "Das darf diese Anwendung nicht";
        scope: "You have not allowed it yet. Connect again and allow more to go on.", "Du hast es noch nicht erlaubt. Verbinde dich neu und erlaube mehr, um weiterzumachen.";
        conflict_heading: "Somebody was faster", "Jemand war schneller";
        conflict: "The memory has changed in the meantime. Look at it again and repeat what you did.", "Die Erinnerung hat sich inzwischen geändert. Sieh sie dir noch einmal an und wiederhole, was du getan hast.";
        kept: "What you had written, to copy", "Was du geschrieben hattest, zum Kopieren";
        to_connection: "Go to the connection", "Zur Verbindung";
        to_memories: "Your memories", "Deine Erinnerungen";
        report: "If you report this, mention", "Wenn du das meldest, nenne";
        not_saved: "Not saved yet", "Noch nicht gespeichert";
        look: "Please have a look", "Bitte sieh nach";
        new_tab: "Connect in a new tab", "In einem neuen Tab verbinden";
        new_tab_then: ", then come back here and send the form again.", ", dann komm hierher zurück und sende das Formular noch einmal.";
    }
}
